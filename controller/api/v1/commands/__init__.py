"""Commands: orders to nodes, and what became of them."""
