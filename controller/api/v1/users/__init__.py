"""Accounts and what they are granted: for administrators."""
