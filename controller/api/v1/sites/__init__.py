"""Sites: where machines stand."""
