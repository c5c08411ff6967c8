"""The audit log: heads, leaves, proofs, and the whole of it as a file."""
