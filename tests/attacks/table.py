"""The attacks that the suite plays, as a page: run as a program it prints `docs/attacks.md`."""

import ast
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
_PARTS = {
    "access": "People, sessions and tokens",
    "approvals": "Approvals",
    "audit": "The audit log",
    "broker": "The broker and what travels through it",
    "enrolment": "Enrolment and renewal",
    "identity": "Certificates and the authority",
}
_INTRODUCTION = """# Attacks

What the tests try against the suite, each a test of its own in `tests/attacks`, most with several
cases: it must be refused, recorded where the suite has a place to record it, and have changed
nothing. Every route is also tried with every role, as the table of [permissions](permissions.md)
says. This page is made of the tests' names by `python -m tests.attacks.table`.
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for part, title in _PARTS.items():
        attacks = [
            line for file in sorted((_FOLDER / part).glob("test_*.py")) for line in _of(file)
        ]
        parts.append(f"## {title}\n\n" + "\n".join(attacks) + "\n")
    return "\n".join(parts)


def _of(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [
        node.name.removeprefix("test_")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    return [f"- {name.replace('_', ' ')}" for name in names]


if __name__ == "__main__":
    sys.stdout.write(page())
