"""Attacks on enrolment and renewal: each refused, recorded, and nothing changed."""
