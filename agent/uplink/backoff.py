"""How long to wait before connecting again. Pure."""

_FIRST_S = 1.0
_LONGEST_S = 60.0


def reconnect_after_s(failures: int, chance: float) -> float:
    """Doubles from 1 s to 60 s with the failures in a row (from 1), spread by `chance` in [0, 1).

    Between half of it and all of it, so that a site's agents do not come back all at once.
    """
    longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures - 1, 10))
    return longest * (0.5 + chance / 2)
