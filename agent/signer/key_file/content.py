"""What is inside a key file: master keys and accounts, as JSON. Every value here is a secret."""

import json
from dataclasses import dataclass
from typing import Any, Final

from agent.signer.key_file.errors import MalformedKeyFileError
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin
from shared.bitcoin.bip39 import seed_of
from shared.bitcoin.errors import BitcoinError, KeyMaterialError
from shared.bitcoin.networks import Network
from shared.bitcoin.recovery import RecoveryKey
from shared.secret import HIDDEN, Secret

MOST_KEYS: Final = 64
_NAMES: Final = {one.value: one for one in Network}


@dataclass(frozen=True, slots=True, eq=False)
class HeldSecret:
    """An extended private key and its origin; a master key's is its fingerprint alone."""

    origin: KeyOrigin
    key: ExtendedPrivateKey

    def __post_init__(self) -> None:
        steps = self.origin.path.indices
        is_master = not steps and self.key.fingerprint == self.origin.fingerprint
        is_below = bool(steps) and self.key.child_number == steps[-1]
        if self.key.depth != len(steps) or not (is_master or is_below):
            raise KeyMaterialError("key origin", "not this key's", "its master and path")

    @classmethod
    def of_seed(cls, seed: Secret) -> "HeldSecret":
        """The master key of a seed (BIP32)."""
        key = ExtendedPrivateKey.of_seed(seed.reveal())
        return cls(KeyOrigin(key.fingerprint), key)

    @classmethod
    def of_mnemonic(cls, words: Secret, passphrase: Secret | None = None) -> "HeldSecret":
        """The master key of a mnemonic (BIP39); the passphrase is BIP39's, not the file's."""
        extra = "" if passphrase is None else passphrase.reveal_text()
        return cls.of_seed(Secret(seed_of(words.reveal_text(), extra)))

    @classmethod
    def of_text(cls, text: Secret, network: Network) -> "HeldSecret":
        """A mnemonic, or an xprv (tprv) with its origin in brackets unless it is a master key."""
        try:
            if len(text.reveal().split()) > 1:
                return cls.of_mnemonic(text)
            read = RecoveryKey.parse(text.reveal_text(), network)
        except UnicodeDecodeError:
            raise KeyMaterialError("key", "not UTF-8", "words, or an xprv") from None
        return cls(read.origin, read.key)

    def __repr__(self) -> str:
        return f"HeldSecret({self.origin}, {HIDDEN})"


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """The keys of one network."""

    network: Network
    keys: tuple[HeldSecret, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MOST_KEYS:
            raise MalformedKeyFileError("keys", str(len(self.keys)), f"1 to {MOST_KEYS}")
        if len({one.origin for one in self.keys}) != len(self.keys):
            raise MalformedKeyFileError("keys", "the same origin twice", "each origin once")


def write_content(content: Content) -> Secret:
    """The text of it."""
    keys = [
        {"origin": str(one.origin), "key": one.key.serialise(content.network)}
        for one in content.keys
    ]
    return Secret.of_text(json.dumps({"network": content.network.value, "keys": keys}))


def read_content(text: Secret) -> Content:
    """The content that a text is; MalformedKeyFileError, which shows nothing of it."""
    try:
        found = json.loads(text.reveal_text())
        network = _NAMES[found["network"]]
        return Content(network, tuple(_held(one, network) for one in found["keys"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        field = error.field if isinstance(error, BitcoinError | MalformedKeyFileError) else "JSON"
        raise MalformedKeyFileError("key file content", f"malformed: {field}", "keys") from None


def _held(found: Any, network: Network) -> HeldSecret:
    key = ExtendedPrivateKey.parse(found["key"], network)
    return HeldSecret(KeyOrigin.parse(found["origin"]), key)
