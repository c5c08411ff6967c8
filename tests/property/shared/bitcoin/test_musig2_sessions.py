"""Random MuSig2 sessions end as the oracle's end, in signatures that anyone can verify."""

from coincurve import PublicKeyXOnly
from ecc.ecc import musig2 as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bitcoin.keys import CURVE_ORDER, PrivateKey
from shared.bitcoin.musig2 import (
    KeyAggregate,
    Session,
    Tweak,
    aggregate_nonces,
    generate_nonce,
    sort_keys,
)

SCALARS = st.integers(1, CURVE_ORDER - 1).map(lambda value: value.to_bytes(32, "big"))
SECRETS = st.lists(SCALARS, min_size=1, max_size=4, unique=True).map(
    lambda secrets: [PrivateKey(secret) for secret in secrets]
)
BYTES = st.binary(min_size=32, max_size=32)
TWEAKS = st.lists(st.builds(Tweak, SCALARS, st.booleans()), max_size=3)


@settings(max_examples=30)
@given(SECRETS, TWEAKS, BYTES, st.booleans())
def test_every_session_ends_in_the_oracles_signature(
    secrets: list[PrivateKey], tweaks: list[Tweak], message: bytes, in_order: bool
) -> None:
    public = {secret: secret.public_key for secret in secrets}
    keys = sort_keys(list(public.values())) if in_order else tuple(public.values())
    aggregate = KeyAggregate(keys, tweaks)
    nonces = {
        secret: generate_nonce(bytes([at + 1] * 32), secret, aggregate, message)
        for at, secret in enumerate(secrets)
    }
    total = aggregate_nonces([nonce.public_nonce for nonce in nonces.values()])
    session = Session(aggregate, total, message)
    parts = {}
    for secret, nonce in nonces.items():
        parts[secret] = session.partial_sign(nonce, secret)
        assert session.partial_verify(parts[secret], nonce.public_nonce, public[secret])
    signature = session.aggregate(list(parts.values()))
    assert PublicKeyXOnly(aggregate.x_only).verify(signature, message)
    values, flags = [one.value for one in tweaks], [one.x_only for one in tweaks]
    context = oracle.SessionContext(total, keys, values, flags, message)
    assert signature == oracle.partial_sig_agg(list(parts.values()), context).serialize()


@settings(max_examples=20)
@given(SECRETS.filter(lambda secrets: len(secrets) > 1), BYTES, st.integers(0, 255))
def test_a_changed_part_is_found_and_spoils_the_sum(
    secrets: list[PrivateKey], message: bytes, bit: int
) -> None:
    keys = [secret.public_key for secret in secrets]
    aggregate = KeyAggregate(keys)
    nonces = [
        generate_nonce(bytes([at + 1] * 32), secret, aggregate, message)
        for at, secret in enumerate(secrets)
    ]
    public_nonces = [nonce.public_nonce for nonce in nonces]
    session = Session(aggregate, aggregate_nonces(public_nonces), message)
    parts = [session.partial_sign(*pair) for pair in zip(nonces, secrets, strict=True)]
    flipped = int.from_bytes(parts[0], "big") ^ 1 << bit
    parts[0] = (flipped % CURVE_ORDER).to_bytes(32, "big")
    assert not session.partial_verify(parts[0], public_nonces[0], keys[0])
    assert session.partial_verify(parts[1], public_nonces[1], keys[1])
    assert not PublicKeyXOnly(aggregate.x_only).verify(session.aggregate(parts), message)
