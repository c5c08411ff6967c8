"""Security events: what was noticed, and that somebody has seen it."""
