"""The canonical text of an expression: sugar wherever BIP379 has it, as Bitcoin Core writes it."""

from typing import Final, TypeAlias

from shared.bitcoin.miniscript.node import HASHES, MULTISIGS, WRAPPERS, Fragment, Node

_Part: TypeAlias = str | tuple[Node, bool]
_SUGARED_KEYS: Final = {Fragment.PK_K: "pk", Fragment.PK_H: "pkh"}


def text_of(root: Node) -> str:
    """The expression as text; parsing it gives the same tree."""
    written: list[str] = []
    waiting: list[_Part] = [(root, False)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            written.append(part)
        else:
            waiting.extend(reversed(_expand(part[0], wrapped=part[1])))
    return "".join(written)


def _wrapper(node: Node) -> tuple[str, Node] | None:
    """The letter and the inside of a node that is written as a wrapper."""
    fragment = node.fragment
    if fragment is Fragment.AND_V and node.subs[1].fragment is Fragment.TRUE:
        return "t", node.subs[0]
    if fragment is Fragment.OR_I:
        if node.subs[0].fragment is Fragment.FALSE:
            return "l", node.subs[1]
        if node.subs[1].fragment is Fragment.FALSE:
            return "u", node.subs[0]
    if fragment in WRAPPERS:
        if fragment is Fragment.WRAP_C and node.subs[0].fragment in _SUGARED_KEYS:
            return None
        return fragment.value[0], node.subs[0]
    return None


def _expand(node: Node, *, wrapped: bool) -> list[_Part]:
    wrapper = _wrapper(node)
    if wrapper is not None:
        letter, inside = wrapper
        return [letter, (inside, True)]
    parts = _expand_plain(node)
    return [":", *parts] if wrapped else parts


def _expand_plain(node: Node) -> list[_Part]:
    fragment = node.fragment
    if fragment is Fragment.WRAP_C:
        key = node.subs[0]
        return [f"{_SUGARED_KEYS[key.fragment]}({key.keys[0]})"]
    if fragment in _SUGARED_KEYS:
        return [f"{fragment.value}({node.keys[0]})"]
    if fragment in HASHES:
        return [f"{fragment.value}({node.digest.hex()})"]
    if fragment in (Fragment.OLDER, Fragment.AFTER):
        return [f"{fragment.value}({node.number})"]
    if fragment in MULTISIGS:
        return [f"{fragment.value}({node.number},{','.join(node.keys)})"]
    if fragment in (Fragment.TRUE, Fragment.FALSE):
        return [fragment.value]
    return _expand_combined(node)


def _expand_combined(node: Node) -> list[_Part]:
    name, subs = node.fragment.value, node.subs
    if node.fragment is Fragment.ANDOR and subs[2].fragment is Fragment.FALSE:
        name, subs = "and_n", subs[:2]
    parts: list[_Part] = [f"{name}("]
    if node.fragment is Fragment.THRESH:
        parts.append(f"{node.number},")
    for index, one in enumerate(subs):
        parts += [",", (one, False)] if index else [(one, False)]
    return [*parts, ")"]
