"""Hierarchical keys (BIP32) and the paths of single-signature accounts (BIP44, BIP84, BIP86)."""

import hmac
import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import coincurve

from shared.bitcoin import base58
from shared.bitcoin.errors import EncodingError, KeyMaterialError, WrongNetworkError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.keys import PrivateKey, decode_point
from shared.bitcoin.networks import Network
from shared.secret import HIDDEN

HARDENED: Final = 0x80000000
MAX_DEPTH: Final = 255
FINGERPRINT_BYTES: Final = 4
SERIALISED_BYTES: Final = 78

_MAX_INDEX: Final = 0xFFFFFFFF
_CHAIN_CODE_BYTES: Final = 32
_SEED_BYTES: Final = range(16, 65)
_NO_PARENT: Final = bytes(FINGERPRINT_BYTES)
_STEP: Final = re.compile(r"(0|[1-9][0-9]{0,9})([h']?)")
_MAX_PATH_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class KeyPath:
    """Child numbers from a key down to a descendant; a hardened one has its top bit set."""

    indices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.indices) > MAX_DEPTH:
            raise KeyMaterialError("path", f"{len(self.indices)} steps", f"at most {MAX_DEPTH}")
        for index in self.indices:
            _check_index(index)

    @classmethod
    def parse(cls, text: str) -> "KeyPath":
        """The path in text, with or without `m/` before it; hardened steps end in h or ' (BIP380).

        >>> KeyPath.parse("m/84h/0'/7").indices
        (2147483732, 2147483648, 7)
        """
        if len(text) > _MAX_PATH_CHARACTERS:
            raise KeyMaterialError("path", f"{len(text)} characters", "at most 255 steps")
        if text in {"m", ""}:
            return cls()
        return cls(tuple(map(_step, text.removeprefix("m/").split("/"))))

    def __str__(self) -> str:
        """The steps without `m`, as descriptors write them: `84h/0h/7`."""
        return "/".join(
            f"{index - HARDENED}h" if index >= HARDENED else str(index) for index in self.indices
        )

    def __add__(self, other: "KeyPath") -> "KeyPath":
        return KeyPath(self.indices + other.indices)

    @property
    def is_hardened(self) -> bool:
        """Whether any step needs the private key."""
        return any(index >= HARDENED for index in self.indices)


@dataclass(frozen=True, slots=True)
class KeyOrigin:
    """Where a key comes from: the master key's fingerprint (four bytes) and the path from it."""

    fingerprint: bytes
    path: KeyPath = KeyPath()

    def __post_init__(self) -> None:
        if len(self.fingerprint) != FINGERPRINT_BYTES:
            raise KeyMaterialError(
                "fingerprint", f"{len(self.fingerprint)} bytes", f"{FINGERPRINT_BYTES} bytes"
            )

    @classmethod
    def parse(cls, text: str) -> "KeyOrigin":
        """The origin that `str` writes: eight hex digits, then the path."""
        fingerprint, slash, path = text.partition("/")
        if not re.fullmatch("[0-9a-fA-F]{8}", fingerprint) or (slash and not path):
            raise KeyMaterialError("key origin", repr(text[:80]), "eight hex digits and a path")
        return cls(bytes.fromhex(fingerprint), KeyPath.parse(path))

    def __str__(self) -> str:
        path = f"/{self.path}" if self.path.indices else ""
        return f"{self.fingerprint.hex()}{path}"

    def child(self, path: KeyPath) -> "KeyOrigin":
        """The origin of a descendant of the key."""
        return KeyOrigin(self.fingerprint, self.path + path)


class Purpose(IntEnum):
    """What an account's keys are for: the first step of its path (BIP43)."""

    P2PKH = 44
    P2WPKH = 84
    P2TR = 86


def account_path(purpose: Purpose, network: Network, account: int = 0) -> KeyPath:
    """The path of an account: purpose, coin type and account, all hardened (BIP44, 84, 86).

    Below it stand the branch (0 to receive, 1 for change) and the address index, neither hardened.
    """
    if not 0 <= account < HARDENED:
        raise KeyMaterialError("account", str(account), f"from 0 to {HARDENED - 1}")
    return KeyPath((purpose | HARDENED, network.coin_type | HARDENED, account | HARDENED))


@dataclass(frozen=True, slots=True)
class ExtendedPublicKey:
    """A compressed public key with its chain code: derives every child that is not hardened.

    Keep the object whose children are asked for: it keeps its point decoded.
    """

    public_key: bytes
    chain_code: bytes
    depth: int = 0
    parent_fingerprint: bytes = _NO_PARENT
    child_number: int = 0
    _point: coincurve.PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_point", decode_point("extended public key", self.public_key))
        _check_place(self.chain_code, self.depth, self.parent_fingerprint, self.child_number)

    @classmethod
    def parse(cls, text: str, network: Network) -> "ExtendedPublicKey":
        """The key in text (xpub, or tpub on test networks); another network's is refused."""
        return cls.parse_bytes(_payload(text), network)

    @classmethod
    def parse_bytes(cls, payload: bytes, network: Network) -> "ExtendedPublicKey":
        """The key in the 78 bytes that its text encodes (BIP32, Serialization format)."""
        _check_version(payload, network, is_private=False)
        place = _place(payload)
        return cls(payload[45:], payload[13:45], *place)

    @property
    def fingerprint(self) -> bytes:
        """The first four bytes of the key's hash: the parent fingerprint of its children."""
        return hash160(self.public_key)[:FINGERPRINT_BYTES]

    def child(self, index: int) -> "ExtendedPublicKey":
        """Child `index`, which is not hardened.

        KeyMaterialError for a hardened one, and for the one index in 2**127 that has no key.
        """
        public_key, chain_code = self._child(index)
        return ExtendedPublicKey(public_key, chain_code, self.depth + 1, self.fingerprint, index)

    def child_key(self, index: int) -> bytes:
        """The compressed public key of child `index`: all that the last step of a path needs."""
        return self._child(index)[0]

    def derive(self, path: KeyPath) -> "ExtendedPublicKey":
        """The descendant at `path`."""
        key = self
        for index in path.indices:
            key = key.child(index)
        return key

    def serialise_bytes(self, network: Network) -> bytes:
        """78 bytes (BIP32, Serialization format)."""
        place = _serialise_place(self.depth, self.parent_fingerprint, self.child_number)
        return network.xpub_version + place + self.chain_code + self.public_key

    def serialise(self, network: Network) -> str:
        """The key as text: xpub, or tpub on test networks."""
        return base58.encode_check(self.serialise_bytes(network))

    def _child(self, index: int) -> tuple[bytes, bytes]:
        """Public key and chain code of a child."""
        if not 0 <= index < HARDENED:
            raise KeyMaterialError("child", str(index), f"from 0 to {HARDENED - 1}, not hardened")
        left, chain_code = _split(self.chain_code, self.public_key, index)
        try:
            return self._point.add(left).format(), chain_code
        except ValueError:
            raise _no_child(index) from None

    def __reduce__(self) -> tuple[type["ExtendedPublicKey"], tuple[object, ...]]:
        """Copies and pickles leave out the decoded point, which is a C structure."""
        place = (self.depth, self.parent_fingerprint, self.child_number)
        return ExtendedPublicKey, (self.public_key, self.chain_code, *place)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExtendedPrivateKey:
    """A private key with its chain code: derives every child.

    Shows neither in its repr, and is compared by identity.
    """

    private_key: PrivateKey
    chain_code: bytes
    depth: int = 0
    parent_fingerprint: bytes = _NO_PARENT
    child_number: int = 0

    def __post_init__(self) -> None:
        _check_place(self.chain_code, self.depth, self.parent_fingerprint, self.child_number)

    @classmethod
    def of_seed(cls, seed: bytes) -> "ExtendedPrivateKey":
        """The master key of a seed of 16 to 64 bytes (BIP32, Master key generation)."""
        if len(seed) not in _SEED_BYTES:
            raise KeyMaterialError("seed", f"{len(seed)} bytes", "from 16 to 64 bytes")
        hashed = hmac.digest(b"Bitcoin seed", seed, "sha512")
        return cls(PrivateKey(hashed[:32]), hashed[32:])

    @classmethod
    def parse(cls, text: str, network: Network) -> "ExtendedPrivateKey":
        """The key in text (xprv, or tprv on test networks); another network's is refused."""
        payload = _payload(text)
        _check_version(payload, network, is_private=True)
        if payload[45]:
            raise KeyMaterialError(
                "extended private key", "no private key in it", "00 and 32 bytes"
            )
        return cls(PrivateKey(payload[46:]), payload[13:45], *_place(payload))

    @property
    def public(self) -> ExtendedPublicKey:
        """The same place in the tree without the private key."""
        return ExtendedPublicKey(
            self.private_key.public_key,
            self.chain_code,
            self.depth,
            self.parent_fingerprint,
            self.child_number,
        )

    @property
    def fingerprint(self) -> bytes:
        """The first four bytes of the public key's hash."""
        return hash160(self.private_key.public_key)[:FINGERPRINT_BYTES]

    def child(self, index: int) -> "ExtendedPrivateKey":
        """Child `index`, hardened where it is 2**31 or above."""
        _check_index(index)
        own = self.private_key
        key_data = b"\x00" + own.reveal() if index >= HARDENED else own.public_key
        left, chain_code = _split(self.chain_code, key_data, index)
        try:
            private_key = own.tweaked(left)
        except KeyMaterialError:
            raise _no_child(index) from None
        return ExtendedPrivateKey(private_key, chain_code, self.depth + 1, self.fingerprint, index)

    def derive(self, path: KeyPath) -> "ExtendedPrivateKey":
        """The descendant at `path`."""
        key = self
        for index in path.indices:
            key = key.child(index)
        return key

    def serialise(self, network: Network) -> str:
        """The key as text: xprv, or tprv on test networks. A secret."""
        place = _serialise_place(self.depth, self.parent_fingerprint, self.child_number)
        secret = b"\x00" + self.private_key.reveal()
        return base58.encode_check(network.xprv_version + place + self.chain_code + secret)

    def __repr__(self) -> str:
        return f"ExtendedPrivateKey({HIDDEN})"


def _split(chain_code: bytes, key_data: bytes, index: int) -> tuple[bytes, bytes]:
    hashed = hmac.digest(chain_code, key_data + index.to_bytes(4, "big"), "sha512")
    return hashed[:32], hashed[32:]


def _no_child(index: int) -> KeyMaterialError:
    return KeyMaterialError("child", f"{index} has no key", "the next index (BIP32)")


def _step(text: str) -> int:
    match = _STEP.fullmatch(text)
    if match is None or int(match[1]) >= HARDENED:
        raise KeyMaterialError(
            "path", f"step {text[:20]!r}", f"0 to {HARDENED - 1}, h behind it where it is hardened"
        )
    return int(match[1]) | (HARDENED if match[2] else 0)


def _payload(text: str) -> bytes:
    try:
        return base58.decode_check(text, "extended key")
    except EncodingError as error:
        raise KeyMaterialError("extended key", error.problem, error.allowed) from None


def _check_version(payload: bytes, network: Network, *, is_private: bool) -> None:
    if len(payload) != SERIALISED_BYTES:
        raise KeyMaterialError("extended key", f"{len(payload)} bytes", f"{SERIALISED_BYTES} bytes")
    kind = "private" if is_private else "public"
    versions = {one: one.xprv_version if is_private else one.xpub_version for one in Network}
    if payload[:4] == versions[network]:
        return
    if payload[:4] in versions.values():
        raise WrongNetworkError("extended key", "another network's", network.value)
    raise KeyMaterialError("extended key", f"no {kind} one", f"a {kind} one of {network.value}")


def _place(payload: bytes) -> tuple[int, bytes, int]:
    return payload[4], payload[5:9], int.from_bytes(payload[9:13], "big")


def _serialise_place(depth: int, parent_fingerprint: bytes, child_number: int) -> bytes:
    return bytes((depth,)) + parent_fingerprint + child_number.to_bytes(4, "big")


def _check_place(
    chain_code: bytes, depth: int, parent_fingerprint: bytes, child_number: int
) -> None:
    if len(chain_code) != _CHAIN_CODE_BYTES:
        raise KeyMaterialError("chain code", f"{len(chain_code)} bytes", "32 bytes")
    if not 0 <= depth <= MAX_DEPTH:
        raise KeyMaterialError("depth", str(depth), f"from 0 to {MAX_DEPTH}")
    if len(parent_fingerprint) != FINGERPRINT_BYTES:
        raise KeyMaterialError("parent fingerprint", f"{len(parent_fingerprint)} bytes", "4 bytes")
    if depth == 0 and (parent_fingerprint != _NO_PARENT or child_number):
        raise KeyMaterialError("extended key", "a master key with a parent", "depth above 0")
    _check_index(child_number)


def _check_index(index: int) -> None:
    if not 0 <= index <= _MAX_INDEX:
        raise KeyMaterialError("child", str(index), f"from 0 to {_MAX_INDEX}")
