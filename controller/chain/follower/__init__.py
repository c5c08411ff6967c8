"""The follower: what happened on the chain, told once, in order, and taken back when undone.

`core` decides (pure), `runner.Follower` asks the backend and commits; `watches.watch` names the
scripts that matter, in the caller's own transaction; `facts` finds what a block means for them.
Facts are rows of `chain_facts` with their block's hash and height, committed in one transaction a
block together with whatever a `listeners.BlockListener` does with them, and deleted in one
transaction when the block is disconnected. Wallets and contracts register a listener; nothing
else writes these tables.
"""
