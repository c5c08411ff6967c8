"""Tests of contracts in the database."""
