"""From text to the tree (BIP379): one pass, no recursion, everything bounded."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Never, TypeAlias

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript.context import Context
from shared.bitcoin.miniscript.node import HASHES, MULTISIGS, Fragment, Node

MAX_TEXT: Final = 400_000
"""Characters of an expression: room for 999 extended keys with origins, and no more."""
MAX_NODES: Final = 10_000
"""Fragments of an expression: three for each element that a stack can hold, and some."""

_NAME = re.compile(r"([a-z]*:)?([a-z0-9_]*)")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_KEY = re.compile(r"[0-9A-Za-z_\[\]/'*<>;().,\-]+")
_WRAPPER_OF: Final = {one.value[0]: one for one in Fragment if one.value.endswith(":")}
_SUGAR_WRAPPERS: Final = frozenset("tlu")
_KEYED: Final = {
    "pk": Fragment.PK_K,
    "pkh": Fragment.PK_H,
    "pk_k": Fragment.PK_K,
    "pk_h": Fragment.PK_H,
}
_LEAVES: Final = {one.value: one for one in (*HASHES, *MULTISIGS, Fragment.OLDER, Fragment.AFTER)}
_BRANCHES: Final = {
    "andor": (Fragment.ANDOR, 3),
    "and_n": (Fragment.ANDOR, 2),
    "and_v": (Fragment.AND_V, 2),
    "and_b": (Fragment.AND_B, 2),
    "or_b": (Fragment.OR_B, 2),
    "or_c": (Fragment.OR_C, 2),
    "or_d": (Fragment.OR_D, 2),
    "or_i": (Fragment.OR_I, 2),
    "thresh": (Fragment.THRESH, 0),
}


KeyReader: TypeAlias = Callable[[str], str]


@dataclass(slots=True)
class _Open:
    """A fragment whose closing parenthesis has not come yet."""

    wrappers: str
    name: str
    number: int = 0
    subs: list[Node] = field(default_factory=list)


def matching(text: str, opening: int) -> int:
    """The position of the parenthesis that closes the one at `opening`, or -1."""
    depth = 0
    for position in range(opening, len(text)):
        character = text[position]
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return position
    return -1


def split_arguments(text: str) -> list[str]:
    """The text between commas that stand within no parentheses."""
    if "(" not in text:
        return text.split(",")
    arguments, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "({":
            depth += 1
        elif character in ")}":
            depth -= 1
        elif character == "," and depth == 0:
            arguments.append(text[start:position])
            start = position + 1
    return [*arguments, text[start:]]


class _Parser:
    def __init__(self, text: str, context: Context, read_key: KeyReader) -> None:
        if len(text) > MAX_TEXT:
            raise MiniscriptError(
                "miniscript", f"{len(text)} characters", f"at most {MAX_TEXT} characters"
            )
        self._text = text
        self._context = context
        self._read_key = read_key
        self._position = 0
        self._nodes = 0
        self._open: list[_Open] = []

    def parse(self) -> Node:
        while True:
            node = self._begin()
            while node is not None:
                if not self._open:
                    if self._position != len(self._text):
                        self._refuse("nothing after the expression")
                    return node
                node = self._continue(node)

    def _begin(self) -> Node | None:
        """Reads one fragment's start; the node if it is whole already."""
        match = _NAME.match(self._text, self._position)
        prefix, name = (match.group(1) or "", match.group(2)) if match else ("", "")
        wrappers = prefix[:-1]
        if prefix and (not wrappers or any(one not in _WRAPPERS for one in wrappers)):
            self._refuse(f"wrappers of {''.join(sorted(_WRAPPERS))} before the colon")
        self._position += len(prefix) + len(name)
        if name in ("0", "1"):
            constant = Fragment.TRUE if name == "1" else Fragment.FALSE
            return self._wrap(wrappers, self._node(constant))
        if self._position >= len(self._text) or self._text[self._position] != "(":
            self._refuse("a fragment of BIP379 with its arguments in parentheses")
        if name in _BRANCHES:
            self._position += 1
            number = self._threshold() if name == "thresh" else 0
            self._open.append(_Open(wrappers, name, number))
            return None
        return self._wrap(wrappers, self._leaf(name))

    def _continue(self, node: Node) -> Node | None:
        """Adds a part to the fragment that is open; the whole once it closes."""
        top = self._open[-1]
        top.subs.append(node)
        following = self._text[self._position : self._position + 1]
        if following not in (",", ")"):
            self._refuse("a comma or a closing parenthesis")
        self._position += 1
        if following == ",":
            return None
        self._open.pop()
        fragment, arity = _BRANCHES[top.name]
        if arity and len(top.subs) != arity:
            self._refuse(f"{arity} arguments of {top.name}")
        if top.name == "and_n":
            top.subs.append(self._node(Fragment.FALSE))
        made = self._node(fragment, subs=tuple(top.subs), number=top.number)
        return self._wrap(top.wrappers, made)

    def _threshold(self) -> int:
        comma = self._text.find(",", self._position, self._position + 12)
        number = self._number(self._text[self._position : comma] if comma >= 0 else "")
        self._position = comma + 1
        return number

    def _leaf(self, name: str) -> Node:
        end = matching(self._text, self._position)
        if end < 0:
            self._refuse("a closing parenthesis")
        argument = self._text[self._position + 1 : end]
        if name in _KEYED:
            node = self._node(_KEYED[name], keys=(self._key(argument),))
            made = node if name.startswith("pk_") else self._node(Fragment.WRAP_C, subs=(node,))
        elif name in _LEAVES:
            made = self._plain_leaf(_LEAVES[name], argument)
        else:
            self._refuse("a fragment of BIP379")
        self._position = end + 1
        return made

    def _plain_leaf(self, fragment: Fragment, argument: str) -> Node:
        if fragment in MULTISIGS:
            first, *keys = split_arguments(argument)
            return self._node(
                fragment, keys=tuple(map(self._key, keys)), number=self._number(first)
            )
        if fragment in HASHES:
            return self._node(fragment, digest=self._digest(argument, HASHES[fragment]))
        return self._node(fragment, number=self._number(argument))

    def _wrap(self, wrappers: str, node: Node) -> Node:
        for letter in reversed(wrappers):
            if letter == "t":
                node = self._node(Fragment.AND_V, subs=(node, self._node(Fragment.TRUE)))
            elif letter == "l":
                node = self._node(Fragment.OR_I, subs=(self._node(Fragment.FALSE), node))
            elif letter == "u":
                node = self._node(Fragment.OR_I, subs=(node, self._node(Fragment.FALSE)))
            else:
                node = self._node(_WRAPPER_OF[letter], subs=(node,))
        return node

    def _node(
        self,
        fragment: Fragment,
        subs: tuple[Node, ...] = (),
        keys: tuple[str, ...] = (),
        number: int = 0,
        digest: bytes = b"",
    ) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(f"at most {MAX_NODES} fragments")
        return Node(fragment, self._context, subs, keys, number, digest)

    def _number(self, text: str) -> int:
        if not _NUMBER.fullmatch(text):
            self._refuse("a number without sign or leading zero")
        return int(text)

    def _digest(self, text: str, length: int) -> bytes:
        if not re.fullmatch(r"[0-9a-fA-F]*", text) or len(text) != 2 * length:
            self._refuse(f"{2 * length} hex digits")
        return bytes.fromhex(text)

    def _key(self, text: str) -> str:
        if not _KEY.fullmatch(text) or len(split_arguments(text)) != 1:
            self._refuse("a key expression")
        return self._read_key(text)

    def _refuse(self, allowed: str) -> Never:
        nearby = self._text[self._position : self._position + 40]
        raise MiniscriptError("miniscript", f"{nearby!r} at {self._position}", allowed)


_WRAPPERS: Final = _SUGAR_WRAPPERS | _WRAPPER_OF.keys()


def parse_node(text: str, context: Context, read_key: KeyReader = str) -> Node:
    """The tree of `text`; MiniscriptError names the place and what may stand there.

    `read_key` is given each key expression and gives the text that it is known by.
    """
    return _Parser(text, context, read_key).parse()
