"""One's own account: password and second factors."""
