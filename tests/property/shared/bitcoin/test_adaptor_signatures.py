"""Adaptor signatures of random keys and points: the oracle's bytes, and no others hold."""

import pytest
from ecc.ecc import ssa_adaptor as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bitcoin.adaptor import AdaptorError, adapt, extract, pre_sign, pre_verify
from shared.bitcoin.keys import CURVE_ORDER, PrivateKey, verify_schnorr

SCALARS = st.integers(1, CURVE_ORDER - 1).map(lambda value: value.to_bytes(32, "big"))
BYTES = st.binary(min_size=32, max_size=32)


@settings(max_examples=30)
@given(SCALARS, SCALARS, BYTES, BYTES)
def test_pre_signatures_are_the_oracles_and_reveal_the_secret(
    secret: bytes, lock: bytes, message: bytes, aux: bytes
) -> None:
    point, public = PrivateKey(lock).public_key, PrivateKey(secret).x_only
    made = pre_sign(PrivateKey(secret), message, point, aux)
    assert made == oracle.presign(message, int.from_bytes(secret, "big"), point, aux)
    assert pre_verify(made, message, public, point)
    signature = adapt(made, lock)
    assert verify_schnorr(public, message, signature)
    assert extract(made, signature, point) == lock


@settings(max_examples=30)
@given(SCALARS, SCALARS, BYTES, st.integers(0, 519), st.integers(0, 255))
def test_a_changed_bit_anywhere_does_not_hold(
    secret: bytes, lock: bytes, message: bytes, bit: int, message_bit: int
) -> None:
    point, public = PrivateKey(lock).public_key, PrivateKey(secret).x_only
    made = pre_sign(PrivateKey(secret), message, point, bytes(32))
    assert not pre_verify(flipped(made, bit), message, public, point)
    assert not pre_verify(made, flipped(message, message_bit), public, point)
    signature = adapt(made, lock)
    changed = flipped(signature, bit % 512)
    with pytest.raises(AdaptorError):
        extract(made, changed, point)


@settings(max_examples=20)
@given(SCALARS, SCALARS, SCALARS, BYTES)
def test_the_point_decides_who_can_complete(
    secret: bytes, lock: bytes, other: bytes, message: bytes
) -> None:
    point, public = PrivateKey(lock).public_key, PrivateKey(secret).x_only
    made = pre_sign(PrivateKey(secret), message, point, bytes(32))
    holds = pre_verify(made, message, public, PrivateKey(other).public_key)
    completes = verify_schnorr(public, message, adapt(made, other))
    assert holds == completes == (lock == other)


def flipped(data: bytes, bit: int) -> bytes:
    place, within = divmod(bit, 8)
    return data[:place] + bytes([data[place] ^ 1 << within]) + data[place + 1 :]
