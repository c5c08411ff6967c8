"""As much of GraphQL as a simulated device needs: selections of fields out of a tree of data.

Source: GraphQL specification, October 2021, sections 2.4 to 2.8. Arguments are passed over (the
simulator looks at `variables`), inline fragments are merged, aliases and directives are refused.
"""

import re
from typing import Any, TypeAlias

Selection: TypeAlias = "dict[str, Selection]"
"""Field names with what is selected below them; nothing below a leaf."""

MAX_DEPTH = 16
_TOKEN = re.compile(r"\s*(\.\.\.|[A-Za-z_][A-Za-z0-9_]*|[{}()\[\]:!$,=@]|\"[^\"]*\"|-?[0-9.]+)")


class GraphqlError(ValueError):
    """A document that is not understood, or a field that is not there."""


def parse(document: str) -> tuple[str, Selection]:
    """The kind of operation ("query" or "mutation") and its selection."""
    tokens = _tokens(document)
    kind = "query"
    if tokens and tokens[0] in {"query", "mutation"}:
        kind = tokens.pop(0)
        if tokens and tokens[0] not in {"{", "("}:
            tokens.pop(0)  # the operation's name
    _pass_arguments(tokens)
    selection = _selection(tokens, 0)
    if tokens:
        raise GraphqlError(f"more after the operation: {tokens[0]!r}")
    return kind, selection


def select(tree: Any, selection: Selection) -> Any:
    """What the selection picks of the tree; null stays null, lists are picked one by one."""
    if not selection or tree is None:
        return tree
    if isinstance(tree, list):
        return [select(item, selection) for item in tree]
    if not isinstance(tree, dict):
        raise GraphqlError("a selection below a scalar")
    picked: dict[str, Any] = {}
    for name, below in selection.items():
        if name not in tree and name != "message":  # only error types have a message
            raise GraphqlError(f"no field {name!r}")
        if name in tree:
            picked[name] = select(tree[name], below)
    return picked


def _tokens(document: str) -> list[str]:
    tokens: list[str] = []
    at, end = 0, len(document.rstrip())
    while at < end:
        match = _TOKEN.match(document, at)
        if match is None:
            raise GraphqlError(f"syntax error at character {at}")
        tokens.append(match.group(1))
        at = match.end()
    return tokens


def _selection(tokens: list[str], depth: int) -> Selection:
    if depth > MAX_DEPTH:
        raise GraphqlError("nested too deeply")
    _take(tokens, "{")
    fields: Selection = {}
    while tokens and tokens[0] != "}":
        name = tokens.pop(0)
        if name == ",":
            continue
        if name == "...":
            _take(tokens, "on")
            tokens.pop(0)
            fields |= _selection(tokens, depth + 1)
            continue
        if not name.isidentifier():
            raise GraphqlError(f"a field was expected, not {name!r}")
        _pass_arguments(tokens)
        fields[name] = _selection(tokens, depth + 1) if tokens and tokens[0] == "{" else {}
    _take(tokens, "}")
    return fields


def _pass_arguments(tokens: list[str]) -> None:
    if not tokens or tokens[0] != "(":
        return
    while tokens and tokens[0] != ")":
        tokens.pop(0)
    _take(tokens, ")")


def _take(tokens: list[str], expected: str) -> None:
    if not tokens or tokens.pop(0) != expected:
        raise GraphqlError(f"{expected!r} was expected")
