"""Spending policies, and the compiler that turns them into sane miniscripts.

`parse` reads `or(9@thresh(2,pk(A),pk(B),pk(C)),and(pk(D),older(52560)))`; `compile_policy` gives
the miniscript for P2WSH or one tapscript, `compile_taproot` an internal key and a tree. The result
means the policy and is sane, or there is none. Pure; anyone may import it.

| to add | goes into |
| --- | --- |
| a kind of condition | `language`, `parser`, `compiler._Compiler._candidates` |
| a way to write one as script | `compiler`, with its cost |
| a wrapper | `candidates._wrapped` |
"""

from shared.bitcoin.policy.compiler import compile_policy
from shared.bitcoin.policy.language import After, And, Hash, Key, Older, Or, Policy, Threshold, walk
from shared.bitcoin.policy.parser import parse
from shared.bitcoin.policy.taproot import (
    InternalKey,
    MiniscriptTree,
    TaprootCompilation,
    compile_taproot,
)

__all__ = [
    "After",
    "And",
    "Hash",
    "InternalKey",
    "Key",
    "MiniscriptTree",
    "Older",
    "Or",
    "Policy",
    "TaprootCompilation",
    "Threshold",
    "compile_policy",
    "compile_taproot",
    "parse",
    "walk",
]
