"""Writes the command's life cycle into the documents: `python -m agent.commands.diagram`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.commands.lifecycle import mermaid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "diagrams" / "command.md"

_TEXT = """\
# The life of a command

Drawn from the table in `agent/commands/lifecycle.py` by `python -m agent.commands.diagram`.

```mermaid
{diagram}```

`accepted` is written in the same transaction as the number it uses up and its reply; `acting` is
written before a device is touched. After a crash an `accepted` command is judged anew and an
`acting` one is read back first (`restart`); no state that ends at the dot ever changes.
"""


def page() -> str:
    """The page as it should be."""
    return _TEXT.format(diagram=mermaid())


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the page; with `--check` only compares it, 1 when it is stale or missing."""
    parser = argparse.ArgumentParser(prog="python -m agent.commands.diagram")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    arguments = parser.parse_args(argv)
    target: Path = arguments.page
    if arguments.check:
        stale = not target.is_file() or target.read_text(encoding="utf-8") != page()
        if stale:
            sys.stderr.write(f"{target.name} is stale; run python -m agent.commands.diagram\n")
        return 1 if stale else 0
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
