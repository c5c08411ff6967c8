"""Brings a release onto a host: the scripts, what they share, and the bundle they install from.

`wheelhouse.sh` makes a bundle (wheels, lock, units, scripts); `install-agent.sh` and
`install-controller.sh` install from one without a network. `locked` and `certificates` are the
Python they call. Nothing of the product imports this package.
"""
