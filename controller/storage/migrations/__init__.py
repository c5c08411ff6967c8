"""Alembic revisions of the controller's database, oldest first in `versions`.

A new revision is a module `NNNN_what.py` there, written by hand or by autogenerate and read; it
must run on SQLite and on PostgreSQL. Revisions import nothing of the suite: they are history.
"""
