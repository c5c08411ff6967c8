"""Prints the part of a lock file that some extras need: `locked.py PYTHON PYPROJECT LOCK EXTRA...`.

PYTHON is the version it is for, such as 3.13.

The lock covers every extra, the tests' and the training's as well; a host gets what it runs. What a
requirement was pulled in by stands in the lock's own `# via` lines, so nothing is resolved anew and
every hash stays. Standard library only: it runs before anything is installed.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")
_OF_PYTHON = re.compile(r"python_full_version (<|>=) '(\d+)\.(\d+)'")


@dataclass(frozen=True, slots=True)
class Entry:
    """One requirement of the lock: its lines without comments, and who asked for it."""

    name: str
    lines: tuple[str, ...]
    via: frozenset[str]


def normalised(name: str) -> str:
    """A project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The project's name in a requirement. `ValueError` when it begins with none."""
    found = _NAME.match(requirement.strip())
    if found is None:
        raise ValueError(f"not a requirement: {requirement[:80]!r} (allowed: NAME==VERSION)")
    return normalised(found[1])


def entries(lock: str) -> tuple[Entry, ...]:
    """Every requirement of a lock written by `make lock`."""
    found: list[Entry] = []
    lines: list[str] = []
    via: set[str] = set()
    for line in [*lock.splitlines(), "end"]:
        if line and not line[0].isspace() and not line.startswith("#"):
            if lines:
                found.append(Entry(name_of(lines[0]), tuple(lines), frozenset(via)))
            lines, via = [line], set()
        elif line.lstrip().startswith("#"):
            asked = line.lstrip(" #").removeprefix("via").strip()
            if asked:
                via.add(normalised(asked.split()[0]))
        elif line.strip():
            lines.append(line)
    return tuple(found)


def needed(lock: Sequence[Entry], roots: Iterable[str]) -> tuple[Entry, ...]:
    """The entries named by `roots` and all that they pulled in, in the lock's order."""
    wanted = {name_of(root) for root in roots}
    while True:
        more = {entry.name for entry in lock if entry.via & wanted} - wanted
        if not more:
            return tuple(entry for entry in lock if entry.name in wanted)
        wanted |= more


def roots_of(pyproject: str, extras: Sequence[str]) -> tuple[str, ...]:
    """The requirements that a project states for these extras. `KeyError` names an unknown one."""
    project = tomllib.loads(pyproject)["project"]
    optional = project["optional-dependencies"]
    return (*project["dependencies"], *(item for extra in extras for item in optional[extra]))


def is_for(entry: Entry, python: tuple[int, int]) -> bool:
    """Whether an entry's marker, if it has one, lets it onto this version of Python."""
    return all(
        (python >= (int(major), int(minor))) is (relation == ">=")
        for relation, major, minor in _OF_PYTHON.findall(entry.lines[0])
    )


def unmarked(entry: Entry) -> tuple[str, ...]:
    """Its lines without a marker that asks for nothing but the version of Python: pip would judge
    that by the Python it runs on, not by the one it downloads for."""
    first, *rest = entry.lines
    return (re.sub(rf" ; {_OF_PYTHON.pattern}( \\)?$", r"\4", first), *rest)


def main(argv: Sequence[str]) -> int:
    """Writes the part to standard output."""
    python, pyproject, lock, *extras = argv
    major, minor = python.split(".")[:2]
    roots = roots_of(Path(pyproject).read_text("utf-8"), extras)
    for entry in needed(entries(Path(lock).read_text("utf-8")), roots):
        if is_for(entry, (int(major), int(minor))):
            sys.stdout.write("\n".join(unmarked(entry)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
