"""A store on an encrypted key file signs PSBTs of every kind that Core's engine then accepts."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.signer.key_file import KeyFileStore, open_key_file
from agent.signer.key_file.content import Content, HeldSecret
from agent.signer.key_file.files import write_key_file
from agent.signer.key_file.sealing import Cost
from agent.signer.key_store import KeyStore, NonceLostError
from shared.bitcoin.bip32 import KeyOrigin, KeyPath
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.networks import Network
from shared.bitcoin.psbt import (
    add_nonces,
    add_partial_signatures,
    check_signatures,
    combine,
    complete_sessions,
    extract,
    finalise,
    sign,
    spent_outputs,
)
from shared.secret import Secret
from tests.integration.shared.bitcoin.psbt.parties import carried, engine_accepts
from tests.integration.shared.bitcoin.psbt.test_described import (
    ACCOUNT,
    CASES,
    MUSIG,
    ROOTS,
    spending,
    wallet,
)

PASSPHRASE = Secret(b"correct horse battery staple")
LEAST = Cost(memory_kib=19 * 1024, passes=2, lanes=1)


def held(signer: int) -> Content:
    """The second signer's account, the others' seeds."""
    root = ROOTS[signer]
    if signer == 1:
        account = HeldSecret(KeyOrigin(root.fingerprint, ACCOUNT), root.derive(ACCOUNT))
        return Content(Network.REGTEST, (account,))
    return Content(Network.REGTEST, (HeldSecret(KeyOrigin(root.fingerprint), root),))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[KeyStore]:
    folder: Path = tmp_path_factory.mktemp("keys")
    opened: list[KeyStore] = []
    for signer in range(3):
        write_key_file(folder / str(signer), held(signer), PASSPHRASE, LEAST)
        opened.append(open_key_file(folder / str(signer), PASSPHRASE))
    return opened


@pytest.mark.parametrize("name", CASES)
def test_key_files_sign_what_the_engine_accepts(name: str, stores: list[KeyStore]) -> None:
    text, signers, sequence = CASES[name]
    psbt, spent = spending(wallet(text), sequence, 0)
    signed = combine([psbt, *(carried(sign(psbt, stores[one])) for one in signers)])
    check_signatures(signed)
    transaction = extract(carried(finalise(carried(signed), {0: spent})))
    assert engine_accepts(transaction, spent_outputs(psbt))
    strange = HeldSecret.of_seed(Secret(bytes(32)))
    with pytest.raises(PsbtError, match="not satisfied"):
        finalise(sign(psbt, KeyFileStore(Content(Network.REGTEST, (strange,)))), {0: spent})


def test_musig_in_two_rounds_and_no_nonce_signs_twice(stores: list[KeyStore]) -> None:
    psbt, spent = spending(wallet(f"tr({MUSIG})"), 0xFFFFFFFD, 0)
    with_nonces = combine([carried(add_nonces(psbt, one)) for one in stores])
    with_parts = combine([carried(add_partial_signatures(with_nonces, one)) for one in stores])
    transaction = extract(finalise(complete_sessions(with_parts), {0: spent}))
    assert engine_accepts(transaction, spent_outputs(psbt))
    with pytest.raises(NonceLostError):
        add_partial_signatures(with_nonces, stores[0])


def test_a_round_two_behind_a_restart_is_refused_by_name() -> None:
    psbt, _ = spending(wallet(f"tr({MUSIG})"), 0xFFFFFFFD, 0)
    before = [KeyFileStore(held(signer)) for signer in range(3)]
    with_nonces = combine([add_nonces(psbt, one) for one in before])
    with pytest.raises(NonceLostError):
        add_partial_signatures(with_nonces, KeyFileStore(held(0)))


def test_a_key_that_is_not_at_its_origin_is_not_signed_with() -> None:
    text, _, sequence = CASES["taproot key"]
    psbt, _ = spending(wallet(text), sequence, 0)
    one = psbt.inputs[0]
    wrong = KeyOrigin(ROOTS[0].fingerprint, ACCOUNT + KeyPath((0, 6)))
    origins = {key: replace(value, origin=wrong) for key, value in one.tap_derivations.items()}
    lied = replace(psbt, inputs=(replace(one, tap_derivations=origins),))
    assert sign(lied, KeyFileStore(held(0))) == lied


def test_public_keys_are_told_with_their_origins_and_hardened_ones_are_derived() -> None:
    store = KeyFileStore(held(0))
    root = ROOTS[0]
    assert [one.origin for one in store.held_keys()] == [KeyOrigin(root.fingerprint)]
    assert store.public_at(KeyOrigin(root.fingerprint, ACCOUNT)) == root.derive(ACCOUNT).public
    assert store.public_at(KeyOrigin(ROOTS[1].fingerprint, ACCOUNT)) is None
    assert KeyFileStore(held(1)).public_at(KeyOrigin(ROOTS[1].fingerprint)) is None


def test_a_closed_store_shows_nothing_and_signs_nothing() -> None:
    store = KeyFileStore(held(0))
    assert root_text() not in repr(store)
    store.close()
    text, _, sequence = CASES["wpkh"]
    psbt, _ = spending(wallet(text), sequence, 0)
    assert sign(psbt, store) == psbt
    assert store.held_keys() == ()


def root_text() -> str:
    return ROOTS[0].serialise(Network.REGTEST)
