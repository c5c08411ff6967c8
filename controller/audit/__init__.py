"""The audit log: an append-only Merkle log after RFC 6962 of who changed what.

Every part that changes something a person would ask about calls `queue_leaf` in the transaction of
the change; personal data goes in as `Personal`. The integrator (`integrator`, a job) numbers the
leaves into the tree (`tiles`, over `shared.merkle`) and signs its head (`notes`); `timestamps` has
heads stamped by others; `proofs` and `export` give away what anybody can check with `verify`, which
knows nothing of our database or configuration. Nothing of the log is ever deleted, whatever
retention says; `erase` makes a person's trace nobody's.
"""

from controller.audit.leaves import Leaf, erase, leaf_bytes, queue_leaf, queue_leaves
from controller.audit.people import Personal

__all__ = ["Leaf", "Personal", "erase", "leaf_bytes", "queue_leaf", "queue_leaves"]
