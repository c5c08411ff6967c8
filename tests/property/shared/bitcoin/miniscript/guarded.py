"""Outputs that random expressions guard, signed for and judged by Core's engine."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.bitcoin import script, taproot
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.miniscript import Context, Miniscript
from shared.bitcoin.transaction import Transaction
from tests.property.shared.bitcoin import spending
from tests.property.shared.bitcoin.miniscript.random_expressions import (
    key_bytes,
    key_text,
    private_key,
)

_OWN_NUMBERS = {
    bytes.fromhex(key_text(number, context)): number
    for number in range(1, 1024)
    for context in Context
}


@dataclass(frozen=True, slots=True)
class Output:
    """An output that the expression guards, and how its inputs are signed and verified."""

    expression: Miniscript

    @property
    def content(self) -> bytes:
        return self.expression.script(key_bytes(self.expression))

    @property
    def tree(self) -> taproot.TaprootOutput:
        return taproot.TaprootOutput(taproot.UNSPENDABLE_KEY, taproot.Leaf(self.content))

    @property
    def script_pubkey(self) -> bytes:
        if self.expression.context is Context.P2WSH:
            return script.p2wsh(self.content)
        return self.tree.script_pubkey

    def signatures(self, unsigned: Transaction, keys: Iterable[str]) -> dict[bytes, bytes]:
        if self.expression.context is Context.P2WSH:
            sign = spending.p2wsh_signer(unsigned, self.content)
        else:
            sign = spending.leaf_signer(unsigned, self.tree, taproot.Leaf(self.content))
        return spending.signatures(sign, {bytes.fromhex(key): _private(key) for key in keys})

    def accepts(self, unsigned: Transaction, witness: tuple[bytes, ...]) -> bool:
        rest: tuple[bytes, ...] = (self.content,)
        if self.expression.context is Context.TAPSCRIPT:
            rest = (self.content, self.tree.control_block(taproot.Leaf(self.content)))
        return spending.accepts(unsigned, self.script_pubkey, (*witness, *rest))


def _private(key: str) -> PrivateKey:
    return private_key(_OWN_NUMBERS[bytes.fromhex(key)])
