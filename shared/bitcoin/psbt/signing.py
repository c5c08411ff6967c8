"""The Signer (BIP174, BIP371): finds what keys have to sign, asks a callback, checks the answer.

No key comes in here. A `Signer` gets requests and returns signatures or None for keys that are not
its own; each signature is verified against its digest before it enters the PSBT.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from shared.bitcoin.bip32 import KeyOrigin
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.keys import verify_ecdsa, verify_schnorr
from shared.bitcoin.psbt.digests import Digests
from shared.bitcoin.psbt.model import (
    INPUTS_MODIFIABLE,
    OUTPUTS_MODIFIABLE,
    Psbt,
    PsbtInput,
)
from shared.bitcoin.psbt.sighash_types import (
    ALL,
    ecdsa_type,
    schnorr_suffix,
    schnorr_type,
)
from shared.bitcoin.psbt.taproot import check_input
from shared.bitcoin.script import ScriptKind
from shared.bitcoin.taproot import tweak


@dataclass(frozen=True, slots=True)
class EcdsaRequest:
    """A DER signature wanted: by `public_key` (33 bytes) over a 32-byte digest."""

    input_index: int
    public_key: bytes
    origin: KeyOrigin
    digest: bytes


@dataclass(frozen=True, slots=True)
class SchnorrRequest:
    """A 64-byte signature wanted over a 32-byte digest.

    In a leaf (`leaf_hash`) by `x_only` itself; on the key path by `x_only`, the internal key, with
    `tweak` (BIP341's, 32 bytes) added.
    """

    input_index: int
    x_only: bytes
    origin: KeyOrigin
    digest: bytes
    leaf_hash: bytes | None
    tweak: bytes | None


class Signer(Protocol):
    """Whoever holds keys."""

    def sign_ecdsa(self, request: EcdsaRequest) -> bytes | None:
        """DER, low S, without sighash byte; None when the key is not here."""
        ...

    def sign_schnorr(self, request: SchnorrRequest) -> bytes | None:
        """64 bytes; None when the key is not here."""
        ...


def sign(psbt: Psbt, signer: Signer) -> Psbt:
    """Add every signature the signer gives to inputs that are not final.

    Raises PsbtError for spent outputs that are not proven, scripts that the outputs do not commit
    to, sighash types other than ALL and DEFAULT, and signatures that do not verify.
    """
    digests = Digests(psbt)
    inputs = tuple(
        one if one.is_final else _signed(digests, at, signer) for at, one in enumerate(psbt.inputs)
    )
    return replace(psbt, inputs=inputs, modifiable=_closed(psbt, inputs))


def ecdsa_requests(digests: Digests, at: int) -> Iterator[EcdsaRequest]:
    """What the keys of a witness v0 input have to sign, those with a derivation in the PSBT."""
    one = digests.psbt.inputs[at]
    wanted = [key for key in one.derivations if _signs(key, digests, at)]
    if not wanted:
        return
    digest = digests.ecdsa(at)
    for key in wanted:
        yield EcdsaRequest(at, key, one.derivations[key], digest)


def schnorr_requests(digests: Digests, at: int) -> Iterator[SchnorrRequest]:
    """What the keys of a taproot input have to sign, on the key path and in each known leaf."""
    one = digests.psbt.inputs[at]
    check_input(one, digests.program(at), at)
    known = {leaf.hash: leaf for leaf in one.tap_leaf_scripts.values()}
    for x_only, held in one.tap_derivations.items():
        if x_only == one.tap_internal_key:
            added = tweak(x_only, one.tap_merkle_root)
            yield SchnorrRequest(at, x_only, held.origin, digests.schnorr(at), None, added)
        for leaf_hash in held.leaf_hashes:
            if leaf_hash in known and _is_named(x_only, known[leaf_hash].script):
                digest = digests.schnorr(at, known[leaf_hash])
                yield SchnorrRequest(at, x_only, held.origin, digest, leaf_hash, None)


def _signed(digests: Digests, at: int, signer: Signer) -> PsbtInput:
    kind = digests.kind(at)
    if kind is ScriptKind.P2TR:
        return _schnorr_signed(digests, at, signer)
    if kind in (ScriptKind.P2WPKH, ScriptKind.P2WSH):
        return _ecdsa_signed(digests, at, signer)
    raise PsbtError(f"inputs[{at}]", f"spends {kind.value}", "witness v0, or v1 (taproot)")


def _ecdsa_signed(digests: Digests, at: int, signer: Signer) -> PsbtInput:
    one = digests.psbt.inputs[at]
    ecdsa_type(one, at)
    signatures = dict(one.partial_signatures)
    for request in ecdsa_requests(digests, at):
        if request.public_key in signatures:
            continue
        signature = signer.sign_ecdsa(request)
        if signature is None:
            continue
        if not verify_ecdsa(request.public_key, request.digest, signature):
            raise _wrong(at, "PSBT_IN_PARTIAL_SIG", request.public_key)
        signatures[request.public_key] = signature + bytes([ALL])
    return replace(one, partial_signatures=signatures)


def _schnorr_signed(digests: Digests, at: int, signer: Signer) -> PsbtInput:
    one = digests.psbt.inputs[at]
    suffix = schnorr_suffix(schnorr_type(one, at))
    key_signature = one.tap_key_signature
    in_leaves = dict(one.tap_script_signatures)
    for request in schnorr_requests(digests, at):
        place = request.x_only + (request.leaf_hash or b"")
        if key_signature is not None if request.leaf_hash is None else place in in_leaves:
            continue
        signature = signer.sign_schnorr(request)
        if signature is None:
            continue
        key = digests.program(at)[2:] if request.leaf_hash is None else request.x_only
        if not verify_schnorr(key, request.digest, signature):
            raise _wrong(at, "PSBT_IN_TAP_SCRIPT_SIG", request.x_only)
        if request.leaf_hash is None:
            key_signature = signature + suffix
        else:
            in_leaves[place] = signature + suffix
    return replace(one, tap_key_signature=key_signature, tap_script_signatures=in_leaves)


def _signs(key: bytes, digests: Digests, at: int) -> bool:
    """Whether the input's script names this key, by itself or by its hash."""
    if len(key) != 33:
        return False
    return _is_named(key, digests.script_code(at))


def _is_named(key: bytes, script: bytes) -> bool:
    return key in script or hash160(key) in script


def _closed(psbt: Psbt, inputs: tuple[PsbtInput, ...]) -> int | None:
    """BIP370: after a signature of type ALL or DEFAULT nothing may be added any more."""
    if psbt.modifiable is None or inputs == psbt.inputs:
        return psbt.modifiable
    return psbt.modifiable & ~(INPUTS_MODIFIABLE | OUTPUTS_MODIFIABLE)


def _wrong(at: int, name: str, key: bytes) -> PsbtError:
    field = f"inputs[{at}].{name}({key.hex()})"
    return PsbtError(field, "does not verify", "a signature over the input's digest")
