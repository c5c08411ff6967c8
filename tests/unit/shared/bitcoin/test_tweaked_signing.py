"""Signing a taproot key path in one pass gives what the three steps give."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.bitcoin.errors import KeyMaterialError
from shared.bitcoin.keys import CURVE_ORDER, PrivateKey, tweaked_x_only, verify_schnorr

SCALAR = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
BYTES = st.binary(min_size=32, max_size=32)


@given(SCALAR, SCALAR, BYTES, BYTES)
def test_the_signature_is_that_of_the_tweaked_key(
    secret: bytes, tweak: bytes, digest: bytes, aux_rand: bytes
) -> None:
    key = PrivateKey(secret)
    own = int.from_bytes(key.with_even_y().reveal(), "big")
    assume((own + int.from_bytes(tweak, "big")) % CURVE_ORDER)
    signature = key.sign_schnorr_tweaked(digest, tweak, aux_rand)
    assert signature == key.with_even_y().tweaked(tweak).sign_schnorr(digest, aux_rand)
    assert verify_schnorr(tweaked_x_only(key.x_only, tweak)[0], digest, signature)


@pytest.mark.parametrize(
    ("digest", "tweak", "aux_rand"),
    [
        (bytes(31), bytes(32), bytes(32)),
        (bytes(32), bytes(31), bytes(32)),
        (bytes(32), CURVE_ORDER.to_bytes(32, "big"), bytes(32)),
        (bytes(32), bytes(32), bytes(33)),
    ],
)
def test_arguments_out_of_range_are_refused(digest: bytes, tweak: bytes, aux_rand: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        PrivateKey(b"\x01" * 32).sign_schnorr_tweaked(digest, tweak, aux_rand)


def test_a_tweak_that_makes_no_key_is_refused() -> None:
    key = PrivateKey(b"\x01" * 32).with_even_y()
    negated = CURVE_ORDER - int.from_bytes(key.reveal(), "big")
    with pytest.raises(KeyMaterialError, match="the sum is no key"):
        key.sign_schnorr_tweaked(bytes(32), negated.to_bytes(32, "big"), bytes(32))
