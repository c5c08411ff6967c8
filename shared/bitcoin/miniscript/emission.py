"""From the tree to the script (BIP379, Translation Table), by way of a template.

A template is made once for an expression; each derived address only fills in its keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.miniscript.context import Context
from shared.bitcoin.miniscript.node import HASHES, MULTISIGS, Fragment, Node
from shared.bitcoin.script import Op, script


@dataclass(frozen=True, slots=True)
class KeySlot:
    """Where a key goes: pushed itself, or its hash."""

    name: str
    hashed: bool = False


_Part: TypeAlias = bytes | KeySlot | tuple[Node, bool]


@dataclass(frozen=True, slots=True)
class ScriptTemplate:
    """A script with slots where the keys go."""

    context: Context
    parts: tuple[bytes | KeySlot, ...]
    size: int

    def fill(self, keys: Mapping[str, bytes]) -> bytes:
        """The script with these keys: compressed in P2WSH, x-only in tapscript."""
        return b"".join(
            [part if isinstance(part, bytes) else self._push(part, keys) for part in self.parts]
        )

    def _push(self, slot: KeySlot, keys: Mapping[str, bytes]) -> bytes:
        key = keys.get(slot.name)
        length = self.context.key_bytes
        if key is None or len(key) != length:
            given = "missing" if key is None else f"{len(key)} bytes"
            raise MiniscriptError(f"key {slot.name[:80]}", given, f"{length} bytes")
        if slot.hashed:
            return b"\x14" + hash160(key)
        return (b"\x21" if length == 33 else b"\x20") + key


def template_of(root: Node) -> ScriptTemplate:
    """The template of the expression's script."""
    parts: list[bytes | KeySlot] = []
    size = 0
    waiting: list[_Part] = [(root, False)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(reversed(_expand(part[0], verify=part[1])))
        elif isinstance(part, KeySlot):
            parts.append(part)
            size += 21 if part.hashed else 1 + root.context.key_bytes
        else:
            size += len(part)
            if parts and isinstance(parts[-1], bytes):
                parts[-1] += part
            else:
                parts.append(part)
    return ScriptTemplate(root.context, tuple(parts), size)


_PREIMAGE_SIZE: Final = script(Op.SIZE, 32, Op.EQUALVERIFY)
_HASH_OPCODES: Final = {
    Fragment.SHA256: Op.SHA256,
    Fragment.HASH256: Op.HASH256,
    Fragment.RIPEMD160: Op.RIPEMD160,
    Fragment.HASH160: Op.HASH160,
}
_BEFORE: Final = {
    Fragment.WRAP_A: script(Op.TOALTSTACK),
    Fragment.WRAP_S: script(Op.SWAP),
    Fragment.WRAP_C: b"",
    Fragment.WRAP_D: script(Op.DUP, Op.IF),
    Fragment.WRAP_V: b"",
    Fragment.WRAP_J: script(Op.SIZE, Op.NOTEQUAL0, Op.IF),
    Fragment.WRAP_N: b"",
    Fragment.OR_I: script(Op.IF),
}
_BETWEEN: Final = {
    Fragment.AND_V: b"",
    Fragment.AND_B: b"",
    Fragment.OR_B: b"",
    Fragment.OR_C: script(Op.NOTIF),
    Fragment.OR_D: script(Op.IFDUP, Op.NOTIF),
    Fragment.OR_I: script(Op.ELSE),
}
_AFTER: Final = {
    Fragment.AND_V: b"",
    Fragment.AND_B: script(Op.BOOLAND),
    Fragment.OR_B: script(Op.BOOLOR),
    Fragment.OR_C: script(Op.ENDIF),
    Fragment.OR_D: script(Op.ENDIF),
    Fragment.OR_I: script(Op.ENDIF),
    Fragment.WRAP_A: script(Op.FROMALTSTACK),
    Fragment.WRAP_S: b"",
    Fragment.WRAP_D: script(Op.ENDIF),
    Fragment.WRAP_J: script(Op.ENDIF),
    Fragment.WRAP_N: script(Op.NOTEQUAL0),
}


def _expand(node: Node, *, verify: bool) -> list[_Part]:
    """The node's script in parts; `verify` when the VERIFY after it is merged into its end."""
    fragment, subs = node.fragment, node.subs
    if fragment in MULTISIGS:
        return _expand_multisig(node, verify=verify)
    if fragment is Fragment.THRESH:
        parts: list[_Part] = [(subs[0], False)]
        for one in subs[1:]:
            parts += [(one, False), script(Op.ADD)]
        return [*parts, script(node.number, Op.EQUALVERIFY if verify else Op.EQUAL)]
    if fragment is Fragment.ANDOR:
        x, y, z = subs
        ops = [script(one) for one in (Op.NOTIF, Op.ELSE, Op.ENDIF)]
        return [(x, False), ops[0], (z, False), ops[1], (y, False), ops[2]]
    if fragment in _BETWEEN:
        last = verify and fragment is Fragment.AND_V
        before = _BEFORE.get(fragment, b"")
        return [before, (subs[0], False), _BETWEEN[fragment], (subs[1], last), _AFTER[fragment]]
    if fragment in _BEFORE:
        return _expand_wrapper(node, verify=verify)
    return _expand_leaf(node, verify=verify)


def _expand_wrapper(node: Node, *, verify: bool) -> list[_Part]:
    fragment, x = node.fragment, node.subs[0]
    if fragment is Fragment.WRAP_C:
        return [(x, False), script(Op.CHECKSIGVERIFY if verify else Op.CHECKSIG)]
    if fragment is Fragment.WRAP_V:
        return [(x, True), b"" if x.verifiable else script(Op.VERIFY)]
    inherited = verify and fragment is Fragment.WRAP_S
    return [_BEFORE[fragment], (x, inherited), _AFTER[fragment]]


def _expand_leaf(node: Node, *, verify: bool) -> list[_Part]:
    fragment = node.fragment
    if fragment is Fragment.PK_K:
        return [KeySlot(node.keys[0])]
    if fragment is Fragment.PK_H:
        slot = KeySlot(node.keys[0], hashed=True)
        return [script(Op.DUP, Op.HASH160), slot, script(Op.EQUALVERIFY)]
    if fragment in HASHES:
        equal = Op.EQUALVERIFY if verify else Op.EQUAL
        return [_PREIMAGE_SIZE, script(_HASH_OPCODES[fragment], node.digest, equal)]
    if fragment is Fragment.OLDER:
        return [script(node.number, Op.CHECKSEQUENCEVERIFY)]
    if fragment is Fragment.AFTER:
        return [script(node.number, Op.CHECKLOCKTIMEVERIFY)]
    return [script(Op.N1 if fragment is Fragment.TRUE else Op.N0)]


def _expand_multisig(node: Node, *, verify: bool) -> list[_Part]:
    slots = [KeySlot(key) for key in node.keys]
    if node.fragment is Fragment.MULTI:
        check = Op.CHECKMULTISIGVERIFY if verify else Op.CHECKMULTISIG
        return [script(node.number), *slots, script(len(slots), check)]
    parts: list[_Part] = [slots[0], script(Op.CHECKSIG)]
    for slot in slots[1:]:
        parts += [slot, script(Op.CHECKSIGADD)]
    return [*parts, script(node.number, Op.NUMEQUALVERIFY if verify else Op.NUMEQUAL)]
