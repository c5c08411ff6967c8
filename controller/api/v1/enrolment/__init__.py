"""Enrolment: `operators` is for people and their programs, `hosts` for hosts that have no identity
yet or prove the one they have; `bodies` bounds what the latter may send."""
