"""Legal holds: what retention must not delete."""
