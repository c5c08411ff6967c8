"""When coins have to be moved, before another path of their script opens. Pure.

A path with `older(n)` opens n blocks after the coin's own block (BIP68), 65,535 at the most; one
with `after(h)` at height h (BIP65). Moving the coin to a fresh output of the same descriptor starts
`older` anew. `after` it does not move: such a coin has to go to another descriptor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError

MOST_BLOCKS = 65_535
"""BIP68: the low 16 bits of a sequence number that counts blocks."""
LOCK_TIME_THRESHOLD = 500_000_000  # below: heights (BIP65)


class Urgency(StrEnum):
    """How near the opening is."""

    RESTING = "resting"
    DUE = "due"
    """Within the lead: to be moved with the next low fees."""
    ALARM = "alarm"
    """Within the alarm's lead: to be moved at any fee, and somebody told."""
    OPEN = "open"
    """The path is open: whoever holds its keys may spend."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a path: `older_blocks` after the coin's own block, or at `after_height`."""

    older_blocks: int | None = None
    after_height: int | None = None

    def __post_init__(self) -> None:
        if (self.older_blocks is None) == (self.after_height is None):
            raise BadInputError("opening", "both or neither", "older_blocks or after_height")
        if self.older_blocks is not None and not 1 <= self.older_blocks <= MOST_BLOCKS:
            raise BadInputError("older_blocks", str(self.older_blocks), f"from 1 to {MOST_BLOCKS}")
        if self.after_height is not None and not 1 <= self.after_height < LOCK_TIME_THRESHOLD:
            raise BadInputError(
                "after_height", str(self.after_height), f"from 1 to {LOCK_TIME_THRESHOLD - 1}"
            )

    def height_for(self, created_height: int) -> int:
        """The first block that may spend a coin of that height through the path.

        BIP68: a coin of height h with `older(n)` may be spent in block h + n. BIP65: `after(h)`
        asks for a lock time of h, which block h + 1 is the first to be above (BIP113 apart).
        """
        if self.older_blocks is not None:
            return created_height + self.older_blocks
        return (self.after_height or 0) + 1


@dataclass(frozen=True, slots=True)
class RefreshRules:
    """Blocks before the opening: `lead_blocks` to move at leisure, `alarm_blocks` at any fee."""

    lead_blocks: int = 4_320  # 30 days
    alarm_blocks: int = 1_008  # 7 days

    def __post_init__(self) -> None:
        if not 1 <= self.alarm_blocks <= self.lead_blocks <= MOST_BLOCKS:
            raise BadInputError(
                "lead_blocks, alarm_blocks",
                f"{self.lead_blocks}, {self.alarm_blocks}",
                f"1 <= alarm_blocks <= lead_blocks <= {MOST_BLOCKS}",
            )


@dataclass(frozen=True, slots=True)
class Held:
    """A confirmed coin and what opens the other paths of its script; none: nothing does."""

    outpoint: OutPoint
    amount_sat: int
    created_height: int
    openings: tuple[Opening, ...]

    @property
    def first(self) -> Opening | None:
        """The opening that comes first for this coin."""
        return min(
            self.openings,
            key=lambda one: (one.height_for(self.created_height), one.older_blocks is None),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One coin in the calendar: heights at which its urgency changes.

    `moves_on` says whether a fresh output of the same descriptor helps.
    """

    outpoint: OutPoint
    amount_sat: int
    due_height: int
    alarm_height: int
    open_height: int
    moves_on: bool

    def urgency(self, next_height: int) -> Urgency:
        """For a transaction that would be in the block at `next_height` at the earliest."""
        if next_height >= self.open_height:
            return Urgency.OPEN
        if next_height >= self.alarm_height:
            return Urgency.ALARM
        return Urgency.DUE if next_height >= self.due_height else Urgency.RESTING


def calendar(coins: Iterable[Held], rules: RefreshRules) -> list[Entry]:
    """The coins that have to be moved one day, the earliest first.

    Where the lead is longer than the path itself, the coin is due from its first block on.
    """
    entries = []
    for coin in coins:
        first = coin.first
        if first is None:
            continue
        opens = first.height_for(coin.created_height)
        entries.append(
            Entry(
                outpoint=coin.outpoint,
                amount_sat=coin.amount_sat,
                due_height=opens - rules.lead_blocks,
                alarm_height=opens - rules.alarm_blocks,
                open_height=opens,
                moves_on=first.older_blocks is not None,
            )
        )
    return sorted(entries, key=lambda entry: (entry.open_height, entry.outpoint))


def to_move(entries: Iterable[Entry], next_height: int, *, fees_are_low: bool) -> list[Entry]:
    """The coins to move now: what is due where fees are low, what is urgent at any fee."""
    urgent = {Urgency.ALARM, Urgency.OPEN}
    wanted = urgent | {Urgency.DUE} if fees_are_low else urgent
    return [entry for entry in entries if entry.urgency(next_height) in wanted]
