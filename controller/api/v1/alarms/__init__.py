"""Alarms: what was raised, and whether it still is."""
