"""Miniscript (BIP379): spending conditions as expressions that can be judged before money is sent.

`parse` gives a `Miniscript`, whose `problems` say why nobody should pay to it; it writes its
script, lists the paths that spend it, bounds its witness and builds it. Keys are key expressions as
text; whoever uses it says which bytes each stands for. Pure; anyone may import it.

| to add | goes into |
| --- | --- |
| a rule of the type system | `properties` |
| a limit of consensus or standardness | `context`, and `Miniscript.problems` |
| what a satisfaction can offer | `satisfaction.Available` |
"""

from shared.bitcoin.miniscript.context import Context
from shared.bitcoin.miniscript.expression import Miniscript, parse
from shared.bitcoin.miniscript.node import Fragment, Node
from shared.bitcoin.miniscript.paths import HashLock, Path, Signers
from shared.bitcoin.miniscript.properties import Base, Lock, Type
from shared.bitcoin.miniscript.satisfaction import Available, Satisfaction

__all__ = [
    "Available",
    "Base",
    "Context",
    "Fragment",
    "HashLock",
    "Lock",
    "Miniscript",
    "Node",
    "Path",
    "Satisfaction",
    "Signers",
    "Type",
    "parse",
]
