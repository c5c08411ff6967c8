"""The `bes` command: finds the sub-commands that packages contribute and calls the one named.

A sub-command is an entry point of the group `bes.commands` that names a function taking the rest
of the arguments and returning an exit status. It is imported only when it is called, so that an
edge host needs no more than what it runs.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

GROUP = "bes.commands"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `bes SUB-COMMAND ...`; 2 when the sub-command is unknown or cannot be imported."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands = {point.name: point for point in entry_points(group=GROUP)}
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(_usage(commands))
        return 0 if arguments else 2
    point = commands.get(arguments[0])
    if point is None:
        sys.stderr.write(f"bes: no such command: {arguments[0]}\n{_usage(commands)}")
        return 2
    try:
        command: Callable[[Sequence[str]], int] = point.load()
    except ModuleNotFoundError as missing:
        sys.stderr.write(f"bes {point.name}: {missing.name} is not installed on this host\n")
        return 2
    return command(arguments[1:])


def _usage(commands: dict[str, EntryPoint]) -> str:
    return f"usage: bes {{{','.join(sorted(commands))}}} ...\n"
