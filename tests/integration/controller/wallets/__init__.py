"""Wallets on real databases."""
