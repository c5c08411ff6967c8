"""The built-in templates, one module each with its parameters and what they become.

Each module's `TEMPLATE` is named by an entry point of the group `bes.contracts`; a plug-in's is
found in the same way. To add one: write its `Terms`, lay out its parts as ways, name the entry
point, and draw parameters for it in `tests/integration/controller/contracts/parameters.py`.
"""
