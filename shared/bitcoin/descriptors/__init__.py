"""Output descriptors (BIP380 to 390): a wallet's outputs in one line of text.

`parse` reads pkh, wpkh, sh(wpkh), wsh and sh(wsh) with miniscript or sortedmulti, tr with a tree of
miniscripts, and musig() within tr. `Descriptor.at` derives an output, `DerivedOutput.satisfaction`
spends it, `Descriptor.paths` says who can. Public keys only. Pure; anyone may import it.

| to add | goes into |
| --- | --- |
| a kind of output | `outputs.Form`, `descriptor`, `parser` |
| a kind of key expression | `key_expressions` |
| what a spend can offer | `outputs.Offered` |
"""

from shared.bitcoin.descriptors.checksum import checksum
from shared.bitcoin.descriptors.conditions import Conditions
from shared.bitcoin.descriptors.descriptor import ConditionsTree, Descriptor, SpendingPath
from shared.bitcoin.descriptors.key_expressions import (
    Aggregate,
    DerivedKey,
    ExtendedKey,
    KeyExpression,
    MusigKey,
    SingleKey,
    Steps,
    parse_key,
)
from shared.bitcoin.descriptors.outputs import (
    DerivedOutput,
    DerivedScript,
    Form,
    KeyUse,
    Offered,
    Spend,
)
from shared.bitcoin.descriptors.parser import parse

__all__ = [
    "Aggregate",
    "Conditions",
    "ConditionsTree",
    "DerivedKey",
    "DerivedOutput",
    "DerivedScript",
    "Descriptor",
    "ExtendedKey",
    "Form",
    "KeyExpression",
    "KeyUse",
    "MusigKey",
    "Offered",
    "SingleKey",
    "Spend",
    "SpendingPath",
    "Steps",
    "checksum",
    "parse",
    "parse_key",
]
