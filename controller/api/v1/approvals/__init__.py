"""Approvals: what waits for other people, their answers, and the keys they answer with."""
