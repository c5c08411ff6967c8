"""Tests of `agent.runtime`."""
