"""Tests of the mempool rules: each with what it lets through and what it refuses."""
