"""The diagram of an approval's life for the documents: `python -m shared.approvals.diagram`."""

import sys

from shared.approvals.life import mermaid

_TEXT = """\
# The life of an approval request

Written by `python -m shared.approvals.diagram`; a test compares it with the table in
`shared/approvals/life.py`.

```mermaid
{diagram}```

`quorum` is reached when as many different named people as the policy asks for, the initiator never
among them, have signed exactly this intent before the request expires; one refusal by a named
person ends it. `use` is written in the same transaction as the act that was approved, so that
nothing is done twice on one approval. No state that ends at the dot ever changes.
"""


def diagram_page() -> str:
    """The page `docs/diagrams/approval.md`."""
    return _TEXT.format(diagram=mermaid())


if __name__ == "__main__":
    sys.stdout.write(diagram_page())
