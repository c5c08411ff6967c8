"""Devices: what they are, what they last said, what they said over time."""
