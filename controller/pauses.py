"""How long to wait before what failed is tried again, where it is tried for ever."""

import random
from collections.abc import Sequence


def pause_after(failures: int, pauses_s: Sequence[float]) -> float:
    """The pause after so many failures in a row (from 0), the last one of `pauses_s` from then on.

    Between half of it and all of it: replicas that lost the same broker or database must not come
    back all at once, again and again.
    """
    longest = pauses_s[min(failures, len(pauses_s) - 1)]
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
