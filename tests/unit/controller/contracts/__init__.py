"""Tests of the contract engine."""
