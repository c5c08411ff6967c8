"""Accidents on a whole deployment, at random points of seeded runs.

`accidents` plans a run from its seed, `deployment` is what they happen to (real broker, controller,
agent, database), `link` and `disk` and `attacker` cause what the processes cannot, `verdict` judges
what is left.
"""
