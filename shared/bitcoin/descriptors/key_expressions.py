"""Key expressions (BIP380, BIP389, BIP390) and the keys that they derive.

Public keys only: whoever can sign keeps the private ones. Parents are derived once and kept, so
that each address costs one step a key.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.bitcoin.bip32 import HARDENED, MAX_DEPTH, ExtendedPublicKey, KeyOrigin, KeyPath
from shared.bitcoin.errors import DescriptorError, KeyMaterialError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.keys import check_public_key, decode_point
from shared.bitcoin.musig2 import KeyAggregate, sort_keys, synthetic_key
from shared.bitcoin.networks import Network

MAX_BRANCHES: Final = 16
"""Alternatives of one multipath step: receiving and change are two."""

_PREFIX = re.compile(r"(?:\[([^\]]*)\])?([0-9A-Za-z]+)((?:/[^/]+)*)")
_HEX = re.compile(r"(?:0[23])?[0-9a-fA-F]{64}")
_STEP = re.compile(r"(0|[1-9][0-9]{0,9})")
_EVEN_Y: Final = b"\x02"
_PRIVATE = re.compile(r"[xt]prv[0-9A-Za-z]+|[5KLc9][0-9A-Za-z]{50,51}")


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A key at one branch and index.

    `public_key` is compressed; an x-only one has an even y. `aggregate` is set for a MuSig2 key.
    """

    public_key: bytes
    origin: KeyOrigin
    aggregate: "Aggregate | None" = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What a MuSig2 key is made of: the untweaked aggregate, whose descendant at `path` the key
    is, and the participants in the order of their aggregation (BIP327, BIP328)."""

    plain: bytes
    path: KeyPath
    participants: tuple[DerivedKey, ...]


class KeyExpression(Protocol):
    """A key, or one for every branch and index."""

    @property
    def text(self) -> str:
        """The canonical text."""

    @property
    def is_ranged(self) -> bool:
        """Whether there is a key for every index."""

    @property
    def branches(self) -> int:
        """How many alternatives its multipath step has, 1 without one."""

    def public_key(self, branch: int, index: int) -> bytes:
        """The compressed key; quick. Every branch has the same where there is one only."""

    def derive(self, branch: int, index: int) -> DerivedKey:
        """The key with its origin."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The path behind an extended key: a tuple of alternatives a step, then perhaps `/*`."""

    steps: tuple[tuple[int, ...], ...] = ()
    is_ranged: bool = False

    @classmethod
    def parse(cls, text: str) -> "Steps":
        """`/0/<1;2>/*`: no step is hardened, at most one has alternatives, `*` stands last."""
        if not text:
            return cls()
        parts = text.removeprefix("/").split("/")
        if len(parts) > MAX_DEPTH:
            raise DescriptorError("key", f"{len(parts)} steps", f"at most {MAX_DEPTH}")
        is_ranged = parts[-1] == "*"
        steps = tuple(_alternatives(part) for part in (parts[:-1] if is_ranged else parts))
        if sum(len(one) > 1 for one in steps) > 1:
            raise DescriptorError("key", "two multipath steps", "at most one (BIP389)")
        return cls(steps, is_ranged)

    def __str__(self) -> str:
        written = [
            str(one[0]) if len(one) == 1 else f"<{';'.join(map(str, one))}>" for one in self.steps
        ]
        return "".join(f"/{one}" for one in [*written, *(["*"] if self.is_ranged else [])])

    @property
    def branches(self) -> int:
        """The number of alternatives."""
        return max((len(one) for one in self.steps), default=1)

    def path(self, branch: int) -> KeyPath:
        """The steps before the index, of one branch."""
        return KeyPath(tuple(one[branch] if len(one) > 1 else one[0] for one in self.steps))


def _alternatives(text: str) -> tuple[int, ...]:
    if text.startswith("<") and text.endswith(">"):
        numbers = tuple(_step(one) for one in text[1:-1].split(";"))
        if not 2 <= len(numbers) <= MAX_BRANCHES or len(set(numbers)) != len(numbers):
            raise DescriptorError(
                "key", f"multipath step {text[:40]}", f"2 to {MAX_BRANCHES} different steps"
            )
        return numbers
    return (_step(text),)


def _step(text: str) -> int:
    if not _STEP.fullmatch(text) or int(text) >= HARDENED:
        allowed = f"0 to {HARDENED - 1}, not hardened: there is only a public key"
        raise DescriptorError("key", f"step {text[:20]!r}", allowed)
    return int(text)


class _Parent:
    """An extended key of which one child after the other is asked for; the last one is kept."""

    __slots__ = ("_last", "_point", "key")

    def __init__(self, key: ExtendedPublicKey) -> None:
        self.key: Final = key
        self._point = decode_point("extended public key", key.public_key)
        self._last: tuple[int, bytes] = (-1, b"")

    def child(self, index: int) -> bytes:
        last_index, last = self._last
        if index == last_index:
            return last
        key = self.key
        step = hmac.digest(key.chain_code, key.public_key + index.to_bytes(4, "big"), "sha512")
        try:
            child = self._point.add(step[:32]).format()
        except ValueError:
            raise KeyMaterialError("child", f"{index} has no key", "the next index") from None
        self._last = index, child
        return child


@dataclass(frozen=True, slots=True)
class SingleKey:
    """One public key, in hex; x-only where `is_x_only`."""

    key: bytes
    origin: KeyOrigin | None = None
    is_x_only: bool = False

    @property
    def text(self) -> str:
        """The hex with its origin."""
        origin = f"[{self.origin}]" if self.origin else ""
        return origin + (self.key[1:] if self.is_x_only else self.key).hex()

    @property
    def is_ranged(self) -> bool:
        """Never."""
        return False

    @property
    def branches(self) -> int:
        """One."""
        return 1

    def public_key(self, branch: int, index: int) -> bytes:
        """Always the same."""
        del branch, index
        return self.key

    def derive(self, branch: int, index: int) -> DerivedKey:
        """Always the same; without an origin it is its own master, as in Bitcoin Core."""
        del branch, index
        return DerivedKey(self.key, self.origin or KeyOrigin(hash160(self.key)[:4]))


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """An extended public key and the steps behind it."""

    key: ExtendedPublicKey
    network: Network
    origin: KeyOrigin | None = None
    steps: Steps = Steps()
    _parents: dict[int, _Parent] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def text(self) -> str:
        """Origin, key and steps."""
        origin = f"[{self.origin}]" if self.origin else ""
        return f"{origin}{self.key.serialise(self.network)}{self.steps}"

    @property
    def is_ranged(self) -> bool:
        """Whether it ends in `/*`."""
        return self.steps.is_ranged

    @property
    def branches(self) -> int:
        """The alternatives of its multipath step."""
        return self.steps.branches

    def public_key(self, branch: int, index: int) -> bytes:
        """One step from the kept parent."""
        parent = self._parent(branch)
        return parent.child(index) if self.is_ranged else parent.key.public_key

    def derive(self, branch: int, index: int) -> DerivedKey:
        """With its origin, from the master key or else from the extended one."""
        steps = self.steps.path(branch)
        last = KeyPath((index,)) if self.is_ranged else KeyPath()
        origin = self.origin or KeyOrigin(self.key.fingerprint)
        return DerivedKey(self.public_key(branch, index), origin.child(steps + last))

    def _parent(self, branch: int) -> _Parent:
        parent = self._parents.get(branch)
        if parent is None:
            parent = self._parents[branch] = _Parent(self.key.derive(self.steps.path(branch)))
        return parent


@dataclass(frozen=True, slots=True)
class MusigKey:
    """The MuSig2 aggregate of its participants, sorted; or a descendant of it (BIP390, BIP328)."""

    participants: tuple[KeyExpression, ...]
    steps: Steps = Steps()
    _parents: dict[int, _Parent] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if len(self.participants) < 2:
            raise DescriptorError("musig", "one participant", "at least two")
        common_branches(self.participants)
        if self.steps == Steps():
            return
        if any(one.is_ranged or not isinstance(one, ExtendedKey) for one in self.participants):
            raise DescriptorError(
                "musig", "steps behind it", "only extended keys without /* within it (BIP390)"
            )
        if self.steps.branches > 1 and any(one.branches > 1 for one in self.participants):
            raise DescriptorError("musig", "two multipath steps", "at most one (BIP389)")

    @property
    def text(self) -> str:
        """`musig(...)` with its steps."""
        return f"musig({','.join(one.text for one in self.participants)}){self.steps}"

    @property
    def is_ranged(self) -> bool:
        """Whether the aggregate or a participant has a key for every index."""
        return self.steps.is_ranged or any(one.is_ranged for one in self.participants)

    @property
    def branches(self) -> int:
        """The alternatives of the multipath step."""
        return max(self.steps.branches, *(one.branches for one in self.participants))

    def public_key(self, branch: int, index: int) -> bytes:
        """The aggregate of the participants at this place, or its descendant."""
        if self.steps == Steps():
            return self._plain(branch, index)
        parent = self._parents.get(branch)
        if parent is None:
            plain = synthetic_key(self._plain(branch, 0))
            parent = _Parent(plain.derive(self.steps.path(branch)))
            self._parents[branch] = parent
        return parent.child(index) if self.steps.is_ranged else parent.key.public_key

    def derive(self, branch: int, index: int) -> DerivedKey:
        """With its participants, and its origin at the aggregate's own extended key (BIP328)."""
        plain = self._plain(branch, index)
        path = self.steps.path(branch)
        if self.steps.is_ranged:
            path += KeyPath((index,))
        participants = [one.derive(branch, index) for one in self.participants]
        participants.sort(key=lambda one: one.public_key)
        aggregate = Aggregate(plain, path, tuple(participants))
        origin = KeyOrigin(hash160(plain)[:4], path)
        return DerivedKey(self.public_key(branch, index), origin, aggregate)

    def _plain(self, branch: int, index: int) -> bytes:
        keys = [one.public_key(branch, index) for one in self.participants]
        return KeyAggregate(sort_keys(keys)).plain


def common_branches(keys: Iterable[KeyExpression]) -> int:
    """The alternatives that the keys' multipath steps have, all of them as many (BIP389)."""
    counts = {one.branches for one in keys} - {1}
    if len(counts) > 1:
        raise DescriptorError(
            "keys", f"multipath steps with {sorted(counts)} alternatives", "one number of them"
        )
    return counts.pop() if counts else 1


def parse_key(text: str, network: Network, *, is_x_only: bool) -> KeyExpression:
    """The key expression that `text` is; `is_x_only` within tr(), where alone musig() stands.

    DescriptorError, or the error of the key itself, for anything else.
    """
    if text.startswith("musig("):
        if not is_x_only:
            raise DescriptorError("key", "musig()", "musig() within tr() only (BIP390)")
        return _parse_musig(text, network)
    return _parse_plain(text, network, is_x_only=is_x_only)


def _parse_musig(text: str, network: Network) -> MusigKey:
    inside, closing, steps = text.removeprefix("musig(").rpartition(")")
    if not closing or "(" in inside or ")" in inside:
        raise DescriptorError("key", repr(text[:60]), "musig(KEY,...,KEY), not nested")
    participants = tuple(_parse_plain(one, network, is_x_only=False) for one in inside.split(","))
    return MusigKey(participants, Steps.parse(steps))


def _parse_plain(text: str, network: Network, *, is_x_only: bool) -> KeyExpression:
    match = _PREFIX.fullmatch(text)
    if match is None:
        raise DescriptorError("key", repr(text[:60]), "a public key, an extended one with its path")
    origin_text, key, steps = match.groups()
    if _PRIVATE.fullmatch(key):
        raise DescriptorError("key", "a private key", "public keys: the signer keeps private ones")
    if origin_text is not None and "H" in origin_text:
        raise DescriptorError("key origin", repr(origin_text[:60]), "h or ' for hardened (BIP380)")
    origin = None if origin_text is None else KeyOrigin.parse(origin_text)
    if not _HEX.fullmatch(key):
        extended = ExtendedPublicKey.parse(key, network)
        return ExtendedKey(extended, network, origin, Steps.parse(steps))
    if steps:
        raise DescriptorError("key", f"steps behind a single key: {steps[:40]}", "no steps")
    content = bytes.fromhex(key)
    if len(content) == 32:
        if not is_x_only:
            raise DescriptorError("key", "an x-only key", "a compressed key here")
        content = _EVEN_Y + content
    return SingleKey(check_public_key("key", content), origin, is_x_only)
