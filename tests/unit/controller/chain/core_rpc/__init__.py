"""Tests of the backend for Bitcoin Core."""
