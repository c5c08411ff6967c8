"""Nodes: the agents that report."""
