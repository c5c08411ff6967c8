"""The audit trail: leaves queued in the transaction of the change they tell of.

Every part that changes something a person would ask about calls `queue_leaf`. The integrator that
numbers leaves into a tree (`audit_leaves.tree_index`) belongs here when it comes.
"""

from controller.audit.leaves import leaf_bytes, queue_leaf

__all__ = ["leaf_bytes", "queue_leaf"]
