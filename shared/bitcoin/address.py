"""Addresses: what people write for an output script, bound to a network.

Base58Check for public key hashes and script hashes; bech32 for witness version 0 (BIP173), bech32m
for every later one (BIP350). Versions that mean nothing yet are read, as BIP350 asks; who pays one
asks `script.classify` first whether it is what they meant.
"""

from typing import Final

from shared.bitcoin import base58, bech32
from shared.bitcoin.bech32 import Variant
from shared.bitcoin.errors import AddressError, EncodingError, ScriptError, WrongNetworkError
from shared.bitcoin.networks import Network
from shared.bitcoin.script import (
    ScriptKind,
    classify,
    p2pkh_of_hash,
    p2sh_of_hash,
    read_witness_program,
    witness_program,
)

_HASH_BYTES: Final = 20
_LONGEST: Final = 90


def encode(script_pubkey: bytes, network: Network) -> str:
    """The one address of an output script; AddressError where it has none."""
    program = read_witness_program(script_pubkey)
    if program is not None and classify(script_pubkey) is not ScriptKind.NONSTANDARD:
        version, content = program
        variant = Variant.BECH32 if version == 0 else Variant.BECH32M
        return bech32.encode(network.hrp, [version, *bech32.to_groups(content)], variant)
    kind = classify(script_pubkey)
    if kind is ScriptKind.P2PKH:
        return base58.encode_check(bytes((network.p2pkh_version,)) + script_pubkey[3:23])
    if kind is ScriptKind.P2SH:
        return base58.encode_check(bytes((network.p2sh_version,)) + script_pubkey[2:22])
    raise AddressError("script", f"{kind.value}: no address", "hash, script hash, witness program")


def decode(text: str, network: Network) -> bytes:
    """The output script that an address of `network` pays to.

    WrongNetworkError for a well-formed address of another network, AddressError for anything else
    that is no address.
    """
    if not 1 <= len(text) <= _LONGEST:
        raise AddressError("address", f"{len(text)} characters", f"from 1 to {_LONGEST}")
    prefix, separator, _ = text.lower().rpartition("1")
    if separator and any(prefix == one.hrp for one in Network):
        return _decode_witness(text, network)
    try:
        payload = base58.decode_check(text, "address")
    except EncodingError as error:
        raise AddressError("address", error.problem, _allowed(network)) from None
    return _decode_hash(payload, network)


def _decode_hash(payload: bytes, network: Network) -> bytes:
    if len(payload) != 1 + _HASH_BYTES:
        raise AddressError("address", f"{len(payload)} bytes", f"{1 + _HASH_BYTES} bytes")
    version, hashed = payload[0], payload[1:]
    if version == network.p2pkh_version:
        return p2pkh_of_hash(hashed)
    if version == network.p2sh_version:
        return p2sh_of_hash(hashed)
    others = [one for one in Network if version in {one.p2pkh_version, one.p2sh_version}]
    if others:
        raise _wrong_network(others, network)
    raise AddressError("address", f"unknown version {version}", _allowed(network))


def _decode_witness(text: str, network: Network) -> bytes:
    try:
        prefix, values, variant = bech32.decode(text)
    except EncodingError as error:
        raise AddressError("address", error.problem, _allowed(network)) from None
    if not values:
        raise AddressError("address", "no witness version", _allowed(network))
    version = values[0]
    expected = Variant.BECH32 if version == 0 else Variant.BECH32M
    if variant is not expected:
        raise AddressError(
            "address", f"version {version} in {variant.name.lower()}", expected.name.lower()
        )
    try:
        script_pubkey = witness_program(version, bech32.from_groups(values[1:]))
    except (EncodingError, ScriptError) as error:
        raise AddressError("address", f"{error.field}: {error.problem}", error.allowed) from None
    if prefix != network.hrp:
        raise _wrong_network([one for one in Network if one.hrp == prefix], network)
    return script_pubkey


def _wrong_network(others: list[Network], network: Network) -> WrongNetworkError:
    names = " or ".join(one.value for one in others)
    return WrongNetworkError("address", f"an address of {names}", _allowed(network))


def _allowed(network: Network) -> str:
    return f"an address of {network.value}"
