"""Gaps: ranges of rows that a node reported as dropped."""
