"""A secret nonce signs once, for what it was made for, and leaves nothing behind."""

import copy
import pickle

import pytest
from btclib_secp256k1 import ffi
from coincurve import PublicKeyXOnly

from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.musig2 import (
    MAX_SIGNERS,
    KeyAggregate,
    Musig2Error,
    NonceMismatchError,
    NonceUsedError,
    SecretNonce,
    Session,
    Tweak,
    aggregate_nonces,
    generate_nonce,
)

MESSAGE = bytes.fromhex("aa" * 32)
SECRETS = tuple(PrivateKey(bytes(31) + bytes([number])) for number in (5, 7, 11))
KEYS = tuple(secret.public_key for secret in SECRETS)


def nonces_for(aggregate: KeyAggregate, message: bytes = MESSAGE) -> list[SecretNonce]:
    return [
        generate_nonce(bytes([at + 1] * 32), secret, aggregate, message)
        for at, secret in enumerate(SECRETS)
    ]


RoundOne = tuple[KeyAggregate, list[SecretNonce], Session]


@pytest.fixture(name="round_one")
def made_nonces() -> RoundOne:
    aggregate = KeyAggregate(KEYS)
    nonces = nonces_for(aggregate)
    total = aggregate_nonces([nonce.public_nonce for nonce in nonces])
    return aggregate, nonces, Session(aggregate, total, MESSAGE)


def test_a_nonce_signs_once(round_one: RoundOne) -> None:
    _, nonces, session = round_one
    session.partial_sign(nonces[0], SECRETS[0])
    assert nonces[0].used
    with pytest.raises(NonceUsedError):
        session.partial_sign(nonces[0], SECRETS[0])


def test_a_refused_signature_spends_the_nonce_too(round_one: RoundOne) -> None:
    _, nonces, session = round_one
    with pytest.raises(NonceMismatchError, match="another key"):
        session.partial_sign(nonces[0], SECRETS[1])
    with pytest.raises(NonceUsedError):
        session.partial_sign(nonces[0], SECRETS[0])
    with pytest.raises(Musig2Error, match="a participant's key"):
        session.partial_sign(nonces[1], PrivateKey(bytes([3] * 32)))
    assert nonces[1].used


def test_a_nonce_signs_only_what_it_was_made_for(round_one: RoundOne) -> None:
    aggregate, nonces, _ = round_one
    total = aggregate_nonces([nonce.public_nonce for nonce in nonces])
    other = Session(aggregate, total, bytes(32))
    with pytest.raises(NonceMismatchError, match="another message"):
        other.partial_sign(nonces[0], SECRETS[0])
    tweaked = Session(aggregate.tweaked(Tweak(bytes([9] * 32), x_only=True)), total, MESSAGE)
    with pytest.raises(NonceMismatchError, match="another aggregate"):
        tweaked.partial_sign(nonces[1], SECRETS[1])


def test_the_librarys_memory_is_wiped_when_a_nonce_is_used_or_erased(round_one: RoundOne) -> None:
    _, nonces, session = round_one
    held = [nonce._nonce._secnonce for nonce in nonces if nonce._nonce is not None]
    assert all(any(bytes(ffi.buffer(secret))) for secret in held)
    session.partial_sign(nonces[0], SECRETS[0])
    nonces[1].erase()
    with pytest.raises(NonceMismatchError):
        session.partial_sign(nonces[2], SECRETS[0])
    assert not any(any(bytes(ffi.buffer(secret))[4:]) for secret in held)


def test_a_nonce_cannot_be_shown_copied_or_written_down(round_one: RoundOne) -> None:
    nonce = round_one[1][0]
    assert repr(nonce) == str(nonce) == "SecretNonce(...)"
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attempt(nonce)


@pytest.mark.parametrize("changed", ["random", "key", "message", "aggregate", "extra"])
def test_every_input_of_a_nonce_changes_it(changed: str) -> None:
    aggregate = KeyAggregate(KEYS)
    other = KeyAggregate(KEYS[::-1])
    base = generate_nonce(bytes([1] * 32), SECRETS[0], aggregate, MESSAGE)
    varied = generate_nonce(
        bytes([2 if changed == "random" else 1] * 32),
        SECRETS[1 if changed == "key" else 0],
        other if changed == "aggregate" else aggregate,
        bytes(32) if changed == "message" else MESSAGE,
        bytes(32) if changed == "extra" else None,
    )
    assert varied.public_nonce != base.public_nonce


def test_nonce_inputs_of_another_form_are_refused() -> None:
    aggregate = KeyAggregate(KEYS)
    fresh = bytes([1] * 32)
    for name, arguments in {
        "session_random": (bytes(31), SECRETS[0], aggregate, MESSAGE),
        "key": (fresh, PrivateKey(bytes([3] * 32)), aggregate, MESSAGE),
        "message": (fresh, SECRETS[0], aggregate, b""),
    }.items():
        with pytest.raises(Musig2Error, match=name):
            generate_nonce(*arguments)
    with pytest.raises(Musig2Error, match="all zeros"):
        generate_nonce(bytes(32), SECRETS[0], aggregate, MESSAGE)
    with pytest.raises(Musig2Error, match="extra"):
        generate_nonce(fresh, SECRETS[0], aggregate, MESSAGE, b"\x01")


def test_a_signature_needs_every_part(round_one: RoundOne) -> None:
    aggregate, nonces, session = round_one
    pairs = zip(nonces, SECRETS, strict=True)
    parts = [session.partial_sign(nonce, secret) for nonce, secret in pairs]
    with pytest.raises(Musig2Error, match="all 3"):
        session.aggregate(parts[:2])
    assert PublicKeyXOnly(aggregate.x_only).verify(session.aggregate(parts), MESSAGE)


@pytest.mark.parametrize("count", [0, MAX_SIGNERS + 1])
def test_sessions_are_of_a_bounded_number(count: int) -> None:
    with pytest.raises(Musig2Error, match="public_keys"):
        KeyAggregate([KEYS[0]] * count)
    with pytest.raises(Musig2Error, match="public_nonces"):
        aggregate_nonces([bytes(66)] * count)


def test_parts_of_strangers_are_refused_and_parts_of_another_size_do_not_hold(
    round_one: RoundOne,
) -> None:
    _, nonces, session = round_one
    stranger = PrivateKey(bytes([3] * 32)).public_key
    with pytest.raises(Musig2Error, match="a participant's key"):
        session.partial_verify(bytes(32), nonces[0].public_nonce, stranger)
    assert not session.partial_verify(b"\x01", nonces[0].public_nonce, KEYS[0])
