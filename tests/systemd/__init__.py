"""The shipped scripts and units on a booted Debian, and what systemd says of the units.

Needs root, systemd-nspawn and debootstrap; `make test` installs both and boots Debian 12, `make
soak` Debian 13.
"""
