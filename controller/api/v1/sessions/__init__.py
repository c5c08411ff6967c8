"""Signing in and out: password, second factor, one's own sessions."""
