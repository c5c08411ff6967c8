"""The mempool's rules: those of Bitcoin Core 29.0 with its default settings, as pure functions.

Followed from its sources (`src/policy/`, `src/validation.cpp`, `MemPoolAccept`), rule by rule, and
with its reject reasons: standardness, finality (BIP113, BIP68), coinbase maturity, replacement
without signalling (its `doc/policy/mempool-replacements.md`), TRUC (BIP431) with sibling eviction,
ephemeral dust, one parent and one child as a package, ancestor and descendant limits with the CPFP
carve-out. 29.0 is the first release with all of these; it relays from 1 sat/vB, as 29.1 and later
no longer do.

Where it departs from 29.0, and each time only by taking more than 29.0 would: of the script flags
that are policy only, those that can be told without running a script are applied (future witness
versions, leaf versions and OP_SUCCESS refused, annex refused, low S); MINIMALIF and NULLFAIL in
witness version 0, CONST_SCRIPTCODE and MINIMALDATA are not, since Core's engine offers consensus
flags only. A package is one parent and one child, where `submitpackage` takes more parents. There
is no expiry and no rolling minimum feerate: a full mempool refuses what is new.

Import `acceptance.judge` and `acceptance.judge_package`; only the embedded chain does. A new rule
is a function here that gives the reject reason or None, called from `acceptance`, with a test of an
accepted and a refused case.
"""
