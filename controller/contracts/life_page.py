"""The page on a contract's life for the documents: `python -m controller.contracts.life_page`."""

import sys

from controller.contracts.life import TABLE, TERMINAL, incident_mermaid, mermaid

_TEXT = """\
# The life of a contract

Written by `python -m controller.contracts.life_page`; a test compares it with the tables in
`controller/contracts/life.py`.

```mermaid
{contract}```

A state that ends at the dot never changes. It is reached by finality-deep facts only, or by a
decision before any coin was there.

## What has a way out

| state | event | then | way out |
| --- | --- | --- | --- |
{ways}
In the states that end, `incident` means that a linked incident opens while the contract stays:

```mermaid
{incident}```
"""


def life_page() -> str:
    """The page `docs/diagrams/contract.md`."""
    ways = ""
    for state, row in TABLE.items():
        if state in TERMINAL:
            continue
        for event, move in row.items():
            if move.way_out is not None:
                then = f"{move.state}, incident" if move.opens_incident else str(move.state)
                ways += f"| {state} | {event} | {then} | {move.way_out} |\n"
    ended = next(iter(sorted(TERMINAL)))
    for event, move in TABLE[ended].items():
        if move.way_out is not None:
            ways += f"| any that ends | {event} | unchanged, incident | {move.way_out} |\n"
    return _TEXT.format(contract=mermaid(), ways=ways, incident=incident_mermaid())


if __name__ == "__main__":
    sys.stdout.write(life_page())
