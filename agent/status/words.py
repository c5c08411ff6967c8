"""Figures in words, for the page and the terminal. Pure."""


def age(time_ms: int, now_ms: int) -> str:
    """How long ago, for a person: "3 s", "5 min", "2 h", "4 d"."""
    seconds = (now_ms - time_ms) / 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(time_ms: int | None, now_ms: int) -> str:
    """The same with "ago"; "never" for None."""
    return "never" if time_ms is None else f"{age(time_ms, now_ms)} ago"


def clock_words(synchronised: bool | None, error_ms: int | None, *, jumped: bool) -> str:  # noqa: FBT001 - three values
    """How far the clock can be trusted."""
    known = {True: "synchronised", False: "not synchronised", None: "synchronisation unknown"}
    bound = "" if error_ms is None else f", within {error_ms} ms"
    return known[synchronised] + bound + (", jumped: commands are refused" if jumped else "")
