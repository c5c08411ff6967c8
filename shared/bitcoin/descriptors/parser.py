"""From text to a descriptor (BIP380 to 390)."""

from typing import Final, Never

from shared.bitcoin.descriptors.checksum import without_checksum
from shared.bitcoin.descriptors.conditions import Conditions, parse_conditions
from shared.bitcoin.descriptors.descriptor import ConditionsTree, Descriptor
from shared.bitcoin.descriptors.key_expressions import parse_key
from shared.bitcoin.descriptors.outputs import Form
from shared.bitcoin.errors import DescriptorError
from shared.bitcoin.miniscript import Context
from shared.bitcoin.networks import Network
from shared.bitcoin.taproot import MAX_DEPTH

_FORMS: Final = (Form.SH_WPKH, Form.SH_WSH, Form.PKH, Form.WPKH, Form.WSH, Form.TR)
_ALLOWED: Final = (
    "pkh(KEY), wpkh(KEY), sh(wpkh(KEY)), wsh(...), sh(wsh(...)), tr(KEY), tr(KEY,TREE)"
)


def parse(text: str, network: Network) -> Descriptor:
    """The descriptor that `text` is, with its checksum or without one.

    Public keys of `network` only, none hardened; miniscripts have to be sane. DescriptorError, or
    the error of the key or miniscript in it, says what is wrong and what may stand there.
    """
    body = without_checksum(text)
    for form in _FORMS:
        opening = f"{form.value}("
        closing = ")" * opening.count("(")
        if body.startswith(opening) and body.endswith(closing):
            inside = body[len(opening) : -len(closing)]
            return _read(form, inside, network)
    raise DescriptorError("descriptor", repr(body[:80]), _ALLOWED)


def _read(form: Form, inside: str, network: Network) -> Descriptor:
    if form in (Form.WSH, Form.SH_WSH):
        conditions = parse_conditions(inside, Context.P2WSH, network)
        return Descriptor(form, network, conditions=conditions)
    if form is not Form.TR:
        return Descriptor(form, network, key=parse_key(inside, network, is_x_only=False))
    end = _end(inside, 0)
    key = parse_key(inside[:end], network, is_x_only=True)
    if end == len(inside):
        return Descriptor(form, network, key=key)
    tree, end = _read_tree(inside, end + 1, network, 0)
    if end != len(inside):
        _refuse(inside[end:], "nothing after the tree")
    return Descriptor(form, network, key=key, tree=tree)


def _read_tree(text: str, start: int, network: Network, depth: int) -> tuple[ConditionsTree, int]:
    """The tree that begins at `start`, and where it ends."""
    if depth > MAX_DEPTH:
        raise DescriptorError("tree", f"deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH}")
    if text[start : start + 1] != "{":
        end = _end(text, start)
        leaf: Conditions = parse_conditions(text[start:end], Context.TAPSCRIPT, network)
        return leaf, end
    left, end = _read_tree(text, start + 1, network, depth + 1)
    if text[end : end + 1] != ",":
        _refuse(text[end:], "a comma between two trees")
    right, end = _read_tree(text, end + 1, network, depth + 1)
    if text[end : end + 1] != "}":
        _refuse(text[end:], "a brace that closes two trees")
    return (left, right), end + 1


def _end(text: str, start: int) -> int:
    """Where the expression at `start` ends: before a comma or brace outside its parentheses."""
    depth = 0
    for position in range(start, len(text)):
        character = text[position]
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif depth == 0 and character in ",}":
            return position
    return len(text)


def _refuse(found: str, allowed: str) -> Never:
    raise DescriptorError("descriptor", repr(found[:80]), allowed)
