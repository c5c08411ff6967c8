"""Drafts that go out as PSBTs and come back signed make the same transactions."""

import random
from dataclasses import replace

import pytest

from controller.chain.engine import verify
from controller.contracts.context import Coin, ExecutionContext, Tip
from controller.contracts.contract import Contract
from controller.contracts.draft import Draft
from controller.contracts.errors import ContractError
from controller.contracts.execute import execute
from controller.contracts.psbts import signatures_of, to_psbt
from controller.contracts.signing import finish, join
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.hashes import sha256
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.musig2 import SecretNonce, Session, generate_nonce
from shared.bitcoin.psbt import (
    EcdsaRequest,
    MusigRequest,
    SchnorrRequest,
    add_nonces,
    add_partial_signatures,
    complete_sessions,
    parse,
    serialise,
    sign,
)
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.controller.contracts.parameters import (
    APPROVALS,
    DRAWN,
    MARKET,
    NOW_MS,
    PEOPLE,
    SECRET,
    accounts,
    draw_contract,
    draw_request,
    everyone,
    names_of,
)

AMOUNT_SAT = 700_000


class Signer:
    """One person's device: finds its keys by their origins."""

    def __init__(self, number: int) -> None:
        self._master = ExtendedPrivateKey.of_seed(bytes((number + 1,)) * 32)

    def _key(self, origin: KeyOrigin) -> PrivateKey | None:
        if origin.fingerprint != self._master.fingerprint:
            return None
        return self._master.derive(origin.path).private_key

    def sign_ecdsa(self, request: EcdsaRequest) -> bytes | None:
        key = self._key(request.origin)
        return None if key is None else key.sign_ecdsa(request.digest)

    def sign_schnorr(self, request: SchnorrRequest) -> bytes | None:
        key = self._key(request.origin)
        if key is not None and request.tweak is not None:
            key = key.with_even_y().tweaked(request.tweak)
        return None if key is None else key.sign_schnorr(request.digest, bytes(32))


def _drafted(contract: Contract, path: str, draw: random.Random) -> tuple[Draft, Transaction]:
    part = contract.path(path).part
    paid = TxOut(AMOUNT_SAT, contract.output(part, 4).script_pubkey)
    funding = Transaction(2, (TxIn(OutPoint(draw.randbytes(32), 1)),), (paid,))
    coin = Coin(funding.outpoint(0), AMOUNT_SAT, part, 4, height=5, is_final=True)
    tip = Tip(max(contract.path(path).earliest_height(5), 5), 0)
    context = ExecutionContext(tip, (coin,), MARKET, everyone(contract), APPROVALS, 6, NOW_MS)
    request, split = draw_request(contract, contract.path(path), draw, AMOUNT_SAT)
    return execute(contract, path, context, request, split), funding


class MusigDevice:
    """One participant's device: its secret nonces live from the first round to the second."""

    def __init__(self, number: int, draw: random.Random) -> None:
        self._key = accounts()[number].private_key
        self._draw = draw
        self._nonces: dict[int, SecretNonce] = {}

    def make_nonce(self, request: MusigRequest) -> bytes | None:
        if request.participant != self._key.public_key:
            return None
        session = request.session
        nonce = generate_nonce(
            self._draw.randbytes(32), self._key, session.aggregate, session.message
        )
        self._nonces[session.input_index] = nonce
        return nonce.public_nonce

    def sign_part(self, request: MusigRequest, opened: Session) -> bytes | None:
        if request.participant != self._key.public_key:
            return None
        return opened.partial_sign(self._nonces.pop(request.session.input_index), self._key)


def test_a_musig_key_path_is_signed_in_two_rounds_through_psbts() -> None:
    draw = random.Random("musig by psbt")
    contract = draw_contract("musig-treasury", draw)
    draft, funding = _drafted(contract, "together", draw)
    psbt = to_psbt(draft, {funding.txid: funding})
    devices = [
        MusigDevice(number, draw)
        for number in range(PEOPLE)
        if f"person-{number}" in names_of(draft)
    ]
    assert len(devices) > 1
    for device in devices:
        psbt = add_nonces(parse(serialise(psbt)), device)
    for device in devices:
        psbt = add_partial_signatures(parse(serialise(psbt)), device)
    psbt = complete_sessions(psbt)
    assert finish(draft, signatures_of(draft, psbt), verify).has_witness


@pytest.mark.parametrize("template", [one for one in DRAWN if one != "musig-treasury"])
def test_every_path_is_signed_through_psbts_by_devices_that_hold_one_key_each(
    template: str,
) -> None:
    draw = random.Random(f"{template} by psbt")
    contract = draw_contract(template, draw)
    for name in contract.paths:
        draft, funding = _drafted(contract, name, draw)
        asked = serialise(to_psbt(draft, {funding.txid: funding}))
        names = names_of(draft)
        signed = [
            signatures_of(draft, sign(parse(asked), Signer(number)))
            for number in range(PEOPLE)
            if f"person-{number}" in names
        ]
        assert finish(draft, join(*signed), verify, {sha256(SECRET): SECRET}).has_witness


def test_a_psbt_of_another_transaction_is_refused() -> None:
    draw = random.Random(1)
    contract = draw_contract("treasury", draw)
    draft, funding = _drafted(contract, "spend", draw)
    other, _ = _drafted(contract, "spend", draw)
    psbt = to_psbt(draft, {funding.txid: funding})
    assert signatures_of(draft, psbt)
    with pytest.raises(ContractError, match="of transaction"):
        signatures_of(other, psbt)
    later = replace(psbt, fallback_lock_time=7)
    with pytest.raises(ContractError, match="of transaction"):
        signatures_of(draft, later)


def test_a_version_0_input_without_its_previous_transaction_is_not_exported() -> None:
    draw = random.Random(2)
    contract = draw_contract("treasury", draw)
    while contract.output("treasury", 0).taproot is not None:
        contract = draw_contract("treasury", draw)
    draft, _ = _drafted(contract, "spend", draw)
    with pytest.raises(PsbtError):
        to_psbt(draft, {})
