"""Tests of `agent.signer`."""
