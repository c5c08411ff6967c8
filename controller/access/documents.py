"""Writes `docs/permissions.md` from the one table: `python -m controller.access.documents`.

With `--check` it writes nothing and fails where the file differs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from controller.access.four_eyes import PRIVILEGED
from controller.access.permissions import MEANINGS, ROLES, Permission, Role, ScopeKind

FILE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"

_HEAD = """# Roles and permissions

Written by `python -m controller.access.documents` from `controller/access/permissions.py`, the
table that every route reads. A grant is a role on a scope: the company, `site:ID` or `wallet:ID`.
What is granted on the company holds on every site and wallet; a permission for the company only is
not given by a role on a site or wallet. Nobody grants a role to himself. Where there are several
administrators, one of them grants {privileged} only with the approval
of another; he neither takes another one's role away nor disables him, and resets no second factor
of who has one of these roles: that is done on the controller's host (`bes user`).
"""


def rendered() -> str:
    """The document."""
    roles = list(Role)
    privileged = ", ".join(_shown(role) for role in Role if role in PRIVILEGED)
    head = _HEAD.format(privileged=privileged)
    lines = [head, _row("permission", "lets one", "on", *(_shown(role) for role in roles))]
    lines.append("|" + " --- |" * (3 + len(roles)))
    for permission in Permission:
        meaning = MEANINGS[permission]
        scopes = ", ".join(kind.value for kind in ScopeKind if kind in meaning.scopes)
        held = ("yes" if permission in ROLES[role] else "" for role in roles)
        lines.append(_row(f"`{permission.value}`", meaning.text, scopes, *held))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(role: Role) -> str:
    return role.value.replace("_", " ")


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 the file says what the table says, 1 it differs (with --check)."""
    if "--check" in argv:
        return 0 if FILE.is_file() and FILE.read_text(encoding="utf-8") == rendered() else 1
    FILE.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
