"""Whatever happens to a wallet, its sums hold."""
