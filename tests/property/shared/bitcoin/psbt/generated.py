"""Random PSBTs, one a seed: every field of the model, both versions, real keys and signatures."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from coincurve import PrivateKey

from shared.bitcoin.bip32 import ExtendedPublicKey, KeyOrigin, KeyPath
from shared.bitcoin.hashes import hash160, ripemd160, sha256, sha256d
from shared.bitcoin.musig2 import KeyAggregate
from shared.bitcoin.networks import Network
from shared.bitcoin.psbt import Psbt, PsbtInput, PsbtOutput, TapOrigin, TreeLeaf
from shared.bitcoin.script import p2sh, p2tr, p2wpkh, p2wsh
from shared.bitcoin.taproot import Leaf, TaprootOutput, Tree
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
OUTPUT_FIELDS = (
    "redeem_script",
    "witness_script",
    "derivations",
    "tap_internal_key",
    "tap_derivations",
    "musig_participants",
)
Made = TypeVar("Made")


class Generator:
    """Draws from one seeded source, so that a seed is a case."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def psbt(self) -> Psbt:
        """A PSBT that every reader has to accept."""
        version = self.random.choice((0, 2))
        inputs = [self.input() for _ in range(self.random.randint(1, 4))]
        if version == 0:
            inputs = [replace(one, required_time=None, required_height=None) for one in inputs]
            inputs = [replace(one, sequence=one.effective_sequence) for one in inputs]
        lock_time = self.random.choice((0, 1, 840_000, 1_700_000_000))
        return Psbt(
            version=version,
            tx_version=self.random.choice((1, 2, 3) if version == 0 else (2, 3)),
            inputs=tuple(inputs),
            outputs=tuple(self.output() for _ in range(self.random.randint(1, 4))),
            fallback_lock_time=lock_time if version == 0 else self.perhaps(lambda: lock_time),
            modifiable=self.perhaps(lambda: self.random.randrange(8)) if version == 2 else None,
            xpubs=self.some(self.xpub),
            others=self.others(),
        )

    def input(self) -> PsbtInput:
        """An input of a random kind, with what a signer of that kind finds."""
        script, fields = self.random.choice((self.wpkh, self.wsh, self.nested, self.taproot))()
        spent = TxOut(self.random.randrange(1, 10**12), script)
        other = TxOut(self.random.randrange(10**8), p2wpkh(self.key().public_key.format()))
        index = self.random.randrange(2)
        outputs = (spent, other) if index == 0 else (other, spent)
        funding = TxIn(OutPoint(self.some_bytes(32), 0), b"", 0, self.perhaps(self.stack) or ())
        previous = Transaction(2, (funding,), outputs, 0)
        is_taproot = script[:1] == b"\x51"
        fields["previous_transaction"] = None if is_taproot else previous
        fields["witness_utxo"] = spent
        if "final_witness" not in fields:  # the oracle drops what a final input was made from
            fields |= self.preimages()
            fields["sighash_type"] = self.perhaps(lambda: 1)
        return PsbtInput(
            previous_txid=previous.txid,
            output_index=index,
            sequence=self.perhaps(lambda: self.random.randrange(2**32)),
            others=self.others(),
            **self.locks(),
            **fields,
        )

    def wpkh(self) -> tuple[bytes, dict[str, Any]]:
        """One key."""
        key = self.key()
        public = key.public_key.format()
        signatures = {public: self.ecdsa(key)} if self.random.random() < 0.5 else {}
        held = {"derivations": {public: self.origin()}, "partial_signatures": signatures}
        return p2wpkh(public), held

    def wsh(self) -> tuple[bytes, dict[str, Any]]:
        """Two of three keys."""
        keys = [self.key() for _ in range(3)]
        publics = [key.public_key.format() for key in keys]
        script = b"\x52" + b"".join(b"\x21" + public for public in publics) + b"\x53\xae"
        signing = self.random.randrange(3)
        pairs = list(zip(keys, publics, strict=True))[:signing]
        held = {
            "witness_script": script,
            "derivations": {public: self.origin() for public in publics},
            "partial_signatures": {public: self.ecdsa(key) for key, public in pairs},
        }
        if self.random.random() < 0.2:
            held = {"final_witness": (b"", self.ecdsa(keys[0]), self.ecdsa(keys[1]), script)}
        return p2wsh(script), held

    def nested(self) -> tuple[bytes, dict[str, Any]]:
        """One key in P2SH."""
        program, held = self.wpkh()
        return p2sh(program), {**held, "redeem_script": program}

    def taproot(self) -> tuple[bytes, dict[str, Any]]:
        """An internal key or aggregate and up to two leaves."""
        keys = [self.key() for _ in range(3)]
        aggregate = KeyAggregate([key.public_key.format() for key in keys])
        is_musig = self.random.random() < 0.4
        internal = aggregate.x_only if is_musig else keys[0].public_key_xonly.format()
        leaves = [Leaf(b"\x20" + key.public_key_xonly.format() + b"\xac") for key in keys[:2]]
        trees: tuple[Tree | None, ...] = (None, leaves[0], (leaves[0], leaves[1]))
        output = TaprootOutput(internal, self.random.choice(trees))
        hashes = [leaf.hash for leaf in output.leaves]
        held: dict[str, Any] = {
            "tap_internal_key": internal,
            "tap_merkle_root": output.merkle_root,
            "tap_leaf_scripts": {output.control_block(leaf): leaf for leaf in output.leaves},
            "tap_derivations": {internal: TapOrigin((), self.origin())},
        }
        if hashes:
            signer = leaves[0].script[1:33]
            in_leaf = {
                signer + hashes[0]: self.some_bytes(64) + (self.perhaps(lambda: b"\x01") or b"")
            }
            held["tap_script_signatures"] = in_leaf
            held["tap_derivations"][signer] = TapOrigin(tuple(hashes[:1]), self.origin())
        else:
            held["tap_key_signature"] = self.perhaps(lambda: self.some_bytes(64))
        if is_musig:
            held |= self.musig(aggregate, hashes)
        return p2tr(output.output_key), held

    def musig(self, aggregate: KeyAggregate, hashes: list[bytes]) -> dict[str, Any]:
        """BIP373's three fields, with points for nonces and a scalar for each part."""
        leaf = self.random.choice((b"", *hashes))
        places = [key + aggregate.plain + leaf for key in aggregate.public_keys]
        points = [self.key().public_key.format() + self.key().public_key.format() for _ in places]
        return {
            "musig_participants": {aggregate.plain: aggregate.public_keys},
            "musig_nonces": dict(zip(places, points, strict=True)),
            "musig_partial_signatures": {places[0]: self.key().secret},
        }

    def output(self) -> PsbtOutput:
        """An output, perhaps with what shows it to be change."""
        amount_sat = self.random.randrange(10**12)
        script, held = self.random.choice((self.wpkh, self.wsh, self.nested, self.taproot))()
        fields = {name: held[name] for name in OUTPUT_FIELDS if name in held}
        leaves = list(held.get("tap_leaf_scripts", {}).values())
        if leaves:
            depth = len(leaves) - 1
            fields["tap_tree"] = tuple(TreeLeaf(depth, one.version, one.script) for one in leaves)
        if self.random.random() < 0.3:
            fields = {}
        return PsbtOutput(amount_sat, script, others=self.others(), **fields)

    def preimages(self) -> dict[str, Any]:
        """A preimage under some of the four functions."""
        content = self.some_bytes(32)
        functions = {"ripemd160": ripemd160, "sha256": sha256, "hash160": hash160}
        functions["hash256"] = sha256d
        return {
            f"{name}_preimages": {digest(content): content}
            for name, digest in functions.items()
            if self.random.random() < 0.1
        }

    def locks(self) -> dict[str, Any]:
        """Required lock times; every one that has a time has a height, so that all agree."""
        if self.random.random() < 0.7:
            return {}
        locks = {"required_height": self.random.randrange(1, 500_000_000)}
        if self.random.random() < 0.5:
            locks["required_time"] = self.random.randrange(500_000_000, 2**32)
        return locks

    def others(self) -> dict[bytes, bytes]:
        """Proprietary records, and of a type that no BIP has taken."""
        kinds = (
            b"\xfc\x03bes" + self.some_bytes(2),
            b"\xf0" + self.some_bytes(self.random.randrange(5)),
        )
        return {
            kind: self.some_bytes(self.random.randrange(1, 300)) for kind in kinds if self.flip(0.2)
        }

    def xpub(self) -> tuple[bytes, KeyOrigin]:
        """An extended public key at the depth that its origin says."""
        origin = self.origin()
        depth = len(origin.path.indices)
        parent = self.some_bytes(4) if depth else bytes(4)
        last = origin.path.indices[-1] if depth else 0
        public = self.key().public_key.format()
        key = ExtendedPublicKey(public, self.some_bytes(32), depth, parent, last)
        return key.serialise_bytes(Network.MAINNET), origin

    def origin(self) -> KeyOrigin:
        """A fingerprint and up to five steps."""
        steps = [self.random.randrange(2**32) for _ in range(self.random.randrange(6))]
        return KeyOrigin(self.some_bytes(4), KeyPath(tuple(steps)))

    def ecdsa(self, key: PrivateKey) -> bytes:
        """A signature of something, of type ALL."""
        return key.sign(self.some_bytes(32), hasher=None) + b"\x01"

    def stack(self) -> tuple[bytes, ...]:
        """A witness of some items."""
        return tuple(self.some_bytes(self.random.randrange(80)) for _ in range(2))

    def key(self) -> PrivateKey:
        """A private key."""
        return PrivateKey(self.random.randrange(1, ORDER).to_bytes(32, "big"))

    def some_bytes(self, count: int) -> bytes:
        """So many random bytes."""
        return self.random.randbytes(count)

    def flip(self, chance: float) -> bool:
        """True with this chance."""
        return self.random.random() < chance

    def perhaps(self, make: Callable[[], Made]) -> Made | None:
        """The thing made, or None, half of the time each."""
        return make() if self.flip(0.5) else None

    def some(self, make: Callable[[], tuple[bytes, KeyOrigin]]) -> dict[bytes, KeyOrigin]:
        """None, one or two of them."""
        return dict(make() for _ in range(self.random.randrange(3)))
