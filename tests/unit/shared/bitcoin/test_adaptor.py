"""Adaptor signatures: they agree with the oracle, and reveal nothing but what they should."""

import pytest
import wallycore
from coincurve import PublicKeyXOnly
from ecc.ecc import ssa_adaptor

from shared.bitcoin.adaptor import AdaptorError, adapt, extract, pre_sign, pre_verify
from shared.bitcoin.hashes import tagged_hash
from shared.bitcoin.keys import CURVE_ORDER, PrivateKey

MESSAGE = bytes.fromhex("5a" * 32)
SECRET = PrivateKey(bytes(31) + b"\x09")
PUBLIC = SECRET.x_only
LOCK = bytes(31) + b"\x21"
POINT = PrivateKey(LOCK).public_key


def presigned(want_odd: bool) -> bytes:
    """A pre-signature whose nonce point has this parity; aux decides it, half of the time each."""
    for count in range(64):
        made = pre_sign(SECRET, MESSAGE, POINT, bytes([count] * 32))
        if (made[0] == 3) == want_odd:
            return made
    raise AssertionError("64 nonce points of one parity")


@pytest.mark.parametrize("odd", [False, True])
def test_an_adapted_signature_is_bip340_and_reveals_the_secret(odd: bool) -> None:
    made = presigned(odd)
    assert pre_verify(made, MESSAGE, PUBLIC, POINT)
    signature = adapt(made, LOCK)
    assert PublicKeyXOnly(PUBLIC).verify(signature, MESSAGE)
    assert extract(made, signature, POINT) == LOCK


@pytest.mark.parametrize("odd", [False, True])
def test_the_pre_signature_alone_is_no_signature(odd: bool) -> None:
    made = presigned(odd)
    assert not PublicKeyXOnly(PUBLIC).verify(made[1:], MESSAGE)
    with pytest.raises(AdaptorError, match="reveals no secret"):
        extract(made, made[1:], POINT)


@pytest.mark.parametrize("odd", [False, True])
def test_the_other_parity_of_the_nonce_point_does_not_hold(odd: bool) -> None:
    made = presigned(odd)
    flipped = bytes([made[0] ^ 1]) + made[1:]
    assert not pre_verify(flipped, MESSAGE, PUBLIC, POINT)
    assert not PublicKeyXOnly(PUBLIC).verify(adapt(flipped, LOCK), MESSAGE)


def test_it_holds_for_its_own_message_key_and_point_only() -> None:
    made = presigned(want_odd=False)
    other_key = PrivateKey(bytes(31) + b"\x11")
    assert not pre_verify(made, bytes(32), PUBLIC, POINT)
    assert not pre_verify(made, MESSAGE, other_key.x_only, POINT)
    assert not pre_verify(made, MESSAGE, PUBLIC, other_key.public_key)
    negated = bytes([POINT[0] ^ 1]) + POINT[1:]
    assert not pre_verify(made, MESSAGE, PUBLIC, negated)


def test_another_secret_adapts_to_nothing() -> None:
    made = presigned(want_odd=True)
    wrong = adapt(made, bytes(31) + b"\x22")
    assert not PublicKeyXOnly(PUBLIC).verify(wrong, MESSAGE)
    with pytest.raises(AdaptorError, match="another secret"):
        extract(made, wrong, POINT)


def test_a_signature_with_another_nonce_reveals_nothing() -> None:
    first = pre_sign(SECRET, MESSAGE, POINT, bytes([1] * 32))
    second = pre_sign(SECRET, MESSAGE, POINT, bytes([2] * 32))
    with pytest.raises(AdaptorError, match="another nonce"):
        extract(first, adapt(second, LOCK), POINT)


def test_each_point_message_and_aux_has_a_nonce_of_its_own() -> None:
    other_point = PrivateKey(bytes(31) + b"\x22").public_key
    nonces = {
        pre_sign(SECRET, MESSAGE, POINT, bytes(32))[1:33],
        pre_sign(SECRET, MESSAGE, other_point, bytes(32))[1:33],
        pre_sign(SECRET, bytes(32), POINT, bytes(32))[1:33],
        pre_sign(SECRET, MESSAGE, POINT, bytes([1] * 32))[1:33],
        SECRET.sign_schnorr(MESSAGE, bytes(32))[:32],
    }
    assert len(nonces) == 5


def test_the_oracle_makes_the_same_bytes() -> None:
    for count in range(8):
        aux = bytes([count] * 32)
        made = pre_sign(SECRET, MESSAGE, POINT, aux)
        assert made == ssa_adaptor.presign(MESSAGE, 9, POINT, aux)
        assert ssa_adaptor.verify(made, MESSAGE, PUBLIC, POINT)
        signature = adapt(made, LOCK)
        theirs = ssa_adaptor.adapt(made, int.from_bytes(LOCK, "big"))
        assert signature == theirs.serialize()
        assert ssa_adaptor.extract_adaptor_var(signature, made) == 0x21


@pytest.mark.parametrize(
    ("field", "arguments"),
    {
        "message": (SECRET, b"", POINT, bytes(32)),
        "adaptor_point": (SECRET, MESSAGE, b"\x02" + b"\xff" * 32, bytes(32)),
        "adaptor_point uncompressed": (SECRET, MESSAGE, POINT + bytes(32), bytes(32)),
        "aux_random": (SECRET, MESSAGE, POINT, bytes(31)),
    }.items(),
)
def test_arguments_of_another_form_are_refused(
    field: str, arguments: tuple[PrivateKey, bytes, bytes, bytes]
) -> None:
    with pytest.raises(AdaptorError) as refused:
        pre_sign(*arguments)
    assert refused.value.field == field.split(maxsplit=1)[0]


def test_a_scalar_beyond_the_order_does_not_hold_and_is_not_adapted() -> None:
    made = presigned(want_odd=False)
    beyond = made[:33] + CURVE_ORDER.to_bytes(32, "big")
    assert not pre_verify(beyond, MESSAGE, PUBLIC, POINT)
    with pytest.raises(AdaptorError, match="below the curve's order"):
        adapt(beyond, LOCK)
    with pytest.raises(AdaptorError, match="65 bytes"):
        pre_verify(made[:-1], MESSAGE, PUBLIC, POINT)


def test_a_fault_in_the_arithmetic_gives_no_pre_signature_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as faulty:
        faulty.setattr(wallycore, "ec_scalar_add", lambda one, other: LOCK)
        with pytest.raises(AdaptorError, match="without a fault"):
            pre_sign(SECRET, MESSAGE, POINT, bytes(32))
    assert pre_verify(pre_sign(SECRET, MESSAGE, POINT, bytes(32)), MESSAGE, PUBLIC, POINT)


@pytest.mark.parametrize("secret", [bytes(32), b"\x01", CURVE_ORDER.to_bytes(32, "big")])
def test_what_is_no_adaptor_secret_is_refused_and_not_shown(secret: bytes) -> None:
    with pytest.raises(AdaptorError) as refused:
        adapt(presigned(want_odd=False), secret)
    assert refused.value.field == "adaptor_secret"
    assert secret.hex() not in str(refused.value)


def test_a_nonce_point_at_infinity_does_not_hold() -> None:
    """s = e·d: a pre-signature that anyone with the key could make without a nonce."""
    shifted = PrivateKey(bytes(31) + b"\x05").public_key
    challenge = tagged_hash("BIP0340/challenge", shifted[1:] + PUBLIC + MESSAGE)
    even = int.from_bytes(SECRET.with_even_y().reveal(), "big")
    scalar = int.from_bytes(challenge, "big") * even % CURVE_ORDER
    made = shifted + scalar.to_bytes(32, "big")
    assert not pre_verify(made, MESSAGE, PUBLIC, shifted)


def test_keys_and_signatures_of_another_form_are_refused() -> None:
    made = presigned(want_odd=False)
    with pytest.raises(AdaptorError, match="public_key"):
        pre_verify(made, MESSAGE, b"\xff" * 32, POINT)
    beyond = made[1:33] + CURVE_ORDER.to_bytes(32, "big")
    with pytest.raises(AdaptorError, match="s out of range"):
        extract(made, beyond, POINT)
    assert not pre_verify(b"\x02" + b"\xff" * 64, MESSAGE, PUBLIC, POINT)
