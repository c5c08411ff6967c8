"""Retention: how long each class of data is kept."""
