"""Simulated devices that speak the real protocols on real sockets, pseudo-terminals and HTTP.

For tests and the demonstration; the product never imports this package. `physics` says how a
simulated miner behaves, `misbehaviour` how it can be told to fail, `tcp` and `web` are the two
kinds of server; each family is a module of its own. Replies are of our own writing in the form of
real captures.
"""
