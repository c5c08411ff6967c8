"""How a contract's coins may move: ways as a template declares them, paths as its script has them.

Whether a rule holds by itself or only as long as the signers keep to it decides what a contract is
worth, so every rule says which: consensus or the signers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final, TypeAlias

from shared.bitcoin.descriptors import SpendingPath
from shared.bitcoin.miniscript import HashLock, Path
from shared.bitcoin.policy import Policy

REPLACEABLE: Final = 0xFFFFFFFD
"""The sequence of an input without a relative lock: replaceable (BIP125), lock time in force."""


class EnforcedBy(StrEnum):
    """Who makes a rule hold."""

    CONSENSUS = "consensus"
    """No miner can put a breach of it into a block."""
    SIGNERS = "signers"
    """Those who sign refuse a breach of it; enough of them together can break it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in plain words."""

    text: str
    enforced_by: EnforcedBy


class Outcome(StrEnum):
    """What a path's spend does to the contract once it is final."""

    CONTINUES = "continues"
    SETTLES = "settles"
    REFUNDS = "refunds"


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Any destination that was approved."""


@dataclass(frozen=True, slots=True)
class OnlyPart:
    """Only the contract's own part of that name, and own change."""

    part: str


@dataclass(frozen=True, slots=True)
class OnlyScripts:
    """Only these output scripts, and own change."""

    scripts: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class OnlySplit:
    """Only the outputs that the split by work comes to, and own change."""


Destination: TypeAlias = Anywhere | OnlyPart | OnlyScripts | OnlySplit


@dataclass(frozen=True, slots=True)
class Way:
    """A way of spending as a template declares it.

    `purpose` is a clause in plain language, `weight` how likely the way is beside the others.
    `signer_rules` are what only the signers enforce; `change_part` is where change goes, the part
    itself where it is None.
    """

    name: str
    purpose: str
    policy: Policy
    outcome: Outcome
    weight: int = 1
    destination: Destination = Anywhere()
    signer_rules: tuple[str, ...] = ()
    change_part: str | None = None


@dataclass(frozen=True, slots=True)
class Quorate:
    """`required` of these named participants sign."""

    required: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        listed = _listed(self.names, "and" if self.required == len(self.names) else "or")
        if len(self.names) == 1:
            return listed
        count = "all" if self.required == len(self.names) else f"any {self.required}"
        return f"{count} of {listed}"


@dataclass(frozen=True, slots=True)
class Option:
    """One of the script's own ways that a path may take; most paths have one."""

    spending: SpendingPath
    signers: tuple[Quorate, ...]
    key_groups: tuple[tuple[int, tuple[str, ...]], ...]
    """As `signers`, with key expressions."""


@dataclass(frozen=True, slots=True)
class ContractPath:
    """A way of spending that the contract's output really has.

    `older` is in blocks from the coin's own, `after` the height that must be passed; 0 for none.
    """

    name: str
    part: str
    purpose: str
    outcome: Outcome
    options: tuple[Option, ...]
    older: int
    after: int
    hashes: tuple[HashLock, ...]
    destination: Destination
    rules: tuple[Rule, ...]
    change_part: str

    def earliest_height(self, funding_height: int) -> int:
        """The first block that may have the spend of a coin made in block `funding_height`.

        A lock time is passed by the blocks above it (BIP65), a relative lock by the block that many
        above the coin's (BIP68).
        """
        return max(funding_height + self.older, self.after + 1 if self.after else 0)

    @property
    def required(self) -> str:
        """Who has to sign, in words."""
        return ", or ".join(" and ".join(map(str, one.signers)) for one in self.options)

    @property
    def sequence(self) -> int:
        """The sequence of every input: the path's relative lock (BIP68), or replaceable."""
        return self.older or REPLACEABLE

    def explain(self, funding_height: int | None = None) -> str:
        """The path in plain language; with its earliest height where the funding's is known."""
        parts = [f"{self.purpose}: {self.required} must sign"]
        if self.hashes:
            parts.append("and show the secret behind the hash")
        if self.older:
            parts.append(f"when the coin is {self.older} blocks old ({_duration(self.older)})")
        if self.after:
            parts.append(f"after block {self.after}")
        text = ", ".join(parts)
        if funding_height is not None:
            text += f"; at the earliest in block {self.earliest_height(funding_height)}"
        return text + "."


Normal: TypeAlias = tuple[
    frozenset[str], frozenset[tuple[int, frozenset[str]]], frozenset[HashLock], int, int
]


def normal_forms(path: Path) -> Iterator[Normal]:
    """A script's path such that two that ask for the same are equal: one-of-many is several."""
    own = [one for one in path.signers if one.required == 1 < len(one.keys)]
    others = [one for one in path.signers if one not in own]
    for chosen in product(*(one.keys for one in own)):
        needed = set(chosen)
        groups = set()
        for one in others:
            if one.required == len(one.keys):
                needed |= set(one.keys)
            else:
                groups.add((one.required, frozenset(one.keys)))
        yield frozenset(needed), frozenset(groups), frozenset(path.hashes), path.older, path.after


def consensus_rules(path: Path, required: str) -> tuple[Rule, ...]:
    """What the script itself asks for, in words."""
    texts = [f"{required} must sign"]
    if path.hashes:
        texts.append("a secret of 32 bytes must be shown that hashes to the agreed value")
    if path.older:
        texts.append(f"the coin must be {path.older} blocks old")
    if path.after:
        texts.append(f"block {path.after} must have passed")
    return tuple(Rule(text, EnforcedBy.CONSENSUS) for text in texts)


def _listed(names: tuple[str, ...], word: str) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def _duration(blocks: int) -> str:
    """Blocks as a time that people think in, at ten minutes a block."""
    minutes = blocks * 10
    for unit, size in (("days", 1_440), ("hours", 60)):
        if minutes >= 2 * size:
            return f"about {minutes // size} {unit}"
    return f"about {minutes} minutes"
