"""Tests of miniscript."""
