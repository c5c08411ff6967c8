"""Wallets without a database: coins, selection, fees, books."""
