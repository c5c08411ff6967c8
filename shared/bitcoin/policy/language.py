"""The policy language: what has to hold for a spend, without saying how a script checks it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript import Fragment
from shared.bitcoin.miniscript.node import HASHES, MAX_LOCK, is_read_whole

MAX_WEIGHT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Key:
    """A signature of this key (a key expression)."""

    name: str

    def __str__(self) -> str:
        return f"pk({self.name})"


@dataclass(frozen=True, slots=True)
class Older:
    """The coin is as old as the relative lock says: 1 to 65,535 blocks, or with the flag 4194304
    as many units of 512 seconds (BIP68)."""

    lock: int

    def __post_init__(self) -> None:
        if not is_read_whole(self.lock):
            raise MiniscriptError(
                "policy", f"older({self.lock})", "1 to 65535, or 4194304 more than that"
            )

    def __str__(self) -> str:
        return f"older({self.lock})"


@dataclass(frozen=True, slots=True)
class After:
    """The height or time has come (a BIP65 value)."""

    lock: int

    def __post_init__(self) -> None:
        if not 1 <= self.lock <= MAX_LOCK:
            raise MiniscriptError("policy", f"after({self.lock})", f"from 1 to {MAX_LOCK}")

    def __str__(self) -> str:
        return f"after({self.lock})"


@dataclass(frozen=True, slots=True)
class Hash:
    """A preimage of 32 bytes is shown."""

    function: Fragment
    digest: bytes

    def __post_init__(self) -> None:
        length = HASHES.get(self.function)
        if length is None or len(self.digest) != length:
            raise MiniscriptError("policy", f"{len(self.digest)} bytes of hash", "a digest")

    def __str__(self) -> str:
        return f"{self.function.value}({self.digest.hex()})"


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple["Policy", ...]

    def __post_init__(self) -> None:
        _check_parts("and", self.parts)

    def __str__(self) -> str:
        return f"and({','.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds; `weights` say how likely each is the one that is used."""

    parts: tuple["Policy", ...]
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_parts("or", self.parts)
        if len(self.weights) != len(self.parts):
            raise MiniscriptError("policy", "weights", "one a part")
        for weight in self.weights:
            if not 1 <= weight <= MAX_WEIGHT:
                raise MiniscriptError("policy", f"weight {weight}", f"from 1 to {MAX_WEIGHT}")

    def __str__(self) -> str:
        written = [
            str(part) if weight == 1 else f"{weight}@{part}"
            for weight, part in zip(self.weights, self.parts, strict=True)
        ]
        return f"or({','.join(written)})"

    @property
    def shares(self) -> tuple[float, ...]:
        """The weights as parts of one."""
        total = sum(self.weights)
        return tuple(weight / total for weight in self.weights)


@dataclass(frozen=True, slots=True)
class Threshold:
    """`required` of the parts hold."""

    required: int
    parts: tuple["Policy", ...]

    def __post_init__(self) -> None:
        if not 1 <= self.required <= len(self.parts):
            raise MiniscriptError(
                "policy", f"{self.required} of {len(self.parts)}", "1 to the number of parts"
            )

    def __str__(self) -> str:
        return f"thresh({self.required},{','.join(map(str, self.parts))})"


Policy: TypeAlias = Key | Older | After | Hash | And | Or | Threshold


def walk(policy: Policy) -> Iterator[Policy]:
    """The policy and everything in it, from left to right."""
    yield policy
    if isinstance(policy, And | Or | Threshold):
        for part in policy.parts:
            yield from walk(part)


def _check_parts(name: str, parts: tuple[Policy, ...]) -> None:
    if len(parts) < 2:
        raise MiniscriptError("policy", f"{name} of {len(parts)} parts", "two parts or more")
