"""Parameters: bounds, reading and writing, and what approvers see of them."""

import random
from typing import Any

import pytest

from controller.contracts.contract import build
from controller.contracts.errors import TermsError, UnknownNameError
from controller.contracts.parties import OutputForm, Participant
from controller.contracts.templates import decaying_treasury, escrow, htlc, treasury, vault, vesting
from controller.contracts.terms import bounds_of, decode, plain, rows
from shared.approvals.encoding import digest_of, encode
from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.networks import Network
from tests.integration.controller.contracts.parameters import (
    DRAWN,
    NETWORK,
    OTHER_ADDRESS,
    SOME_ADDRESS,
    draw_contract,
    people,
)

A, B, C, D, E = people()[:5]


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: treasury.TreasuryTerms(0, (A,)), "required"),
        (lambda: treasury.TreasuryTerms(2, (A,)), "signers"),
        (lambda: treasury.TreasuryTerms(1, (A, A)), "signers"),
        (lambda: treasury.TreasuryTerms(1, ()), "signers"),
        (lambda: treasury.TreasuryTerms(True, (A,)), "required"),
        (lambda: Participant("a name", A.key), "name"),
        (lambda: Participant("a", "short"), "key"),
        (lambda: escrow.EscrowTerms(A, B, A, SOME_ADDRESS, OTHER_ADDRESS, 50_000, 10), "arbiter"),
        (lambda: escrow.EscrowTerms(A, B, C, SOME_ADDRESS, OTHER_ADDRESS, 9_999, 10), "amount_sat"),
        (
            lambda: escrow.EscrowTerms(A, B, C, SOME_ADDRESS, OTHER_ADDRESS, 50_000, 500_000_000),
            "timeout_height",
        ),
        (lambda: htlc.HtlcTerms(A, B, bytes(31), 50_000, 10), "secret_sha256"),
        (lambda: vault.VaultTerms(1, (A,), 1, (A,), 10), "guardians"),
        (lambda: vault.VaultTerms(1, (A,), 1, (B,), 5), "delay_blocks"),
        (
            lambda: vesting.VestingTerms(
                A, 1, (B,), (vesting.Tranche(9, 50_000), vesting.Tranche(8, 50_000)), 20
            ),
            "tranches",
        ),
        (
            lambda: decaying_treasury.DecayingTreasuryTerms(
                E, 2, (A, B), (decaying_treasury.Decay(200, 1, (C,)),), 100
            ),
            "recoveries",
        ),
        (
            lambda: decaying_treasury.DecayingTreasuryTerms(
                E, 1, (A, B), (decaying_treasury.Decay(50, 2, (C, D)),), 100
            ),
            "recoveries",
        ),
    ],
)
def test_parameters_out_of_bounds_are_refused_by_their_field(made: Any, field: str) -> None:
    with pytest.raises(TermsError) as refused:
        made()
    assert refused.value.field == field


def test_every_number_has_a_unit_and_bounds() -> None:
    assert str(bounds_of(vault.VaultTerms)["delay_blocks"]) == "from 6 to 65535 blocks"


@pytest.mark.parametrize("template", DRAWN)
def test_parameters_are_read_back_from_plain_data(template: str) -> None:
    terms = draw_contract(template, random.Random(template)).terms
    assert decode(type(terms), plain(terms)) == terms


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"required": "2"}, "required"),
        ({"output": "sh"}, "output"),
        ({"signers": "A"}, "signers"),
        ({"signers": [3]}, "signers"),
        ({"extra": 1}, "extra"),
    ],
)
def test_plain_data_of_another_shape_is_refused(change: dict[str, Any], field: str) -> None:
    data = plain(treasury.TreasuryTerms(1, (A, B)))
    with pytest.raises(TermsError) as refused:
        decode(treasury.TreasuryTerms, {**data, **change})
    assert refused.value.field == field
    with pytest.raises(TermsError, match="missing"):
        decode(treasury.TreasuryTerms, {"signers": data["signers"]})


def test_approvers_sign_every_parameter_and_the_first_address() -> None:
    def digest(*signers: Participant) -> bytes:
        contract = build(treasury.TEMPLATE, treasury.TreasuryTerms(1, signers), NETWORK)
        intent = contract.intent("treasury-1", "open", 10_000, bytes(16))
        assert ("address.treasury", contract.address("treasury", 0)) in intent.terms
        return digest_of(encode(intent))

    assert digest(A, B) == digest(A, B)
    assert digest(A, B) != digest(A, C)


def test_lists_within_lists_are_rows_of_their_own() -> None:
    decay = decaying_treasury.Decay(50, 1, (C, D))
    terms = decaying_treasury.DecayingTreasuryTerms(E, 2, (A, B), (decay,), 100)
    assert ("recoveries.1.signers.2", str(D)) in rows(terms)
    assert all(len(value) <= 500 for _, value in rows(terms))


def test_keys_of_another_network_make_no_contract() -> None:
    terms = treasury.TreasuryTerms(1, (A, B))
    with pytest.raises(BitcoinError):
        build(treasury.TEMPLATE, terms, Network.MAINNET)


def test_unknown_parts_and_paths_are_refused_with_those_there_are() -> None:
    contract = build(treasury.TEMPLATE, treasury.TreasuryTerms(1, (A, B)), NETWORK)
    with pytest.raises(UnknownNameError, match="spend"):
        contract.path("steal")
    with pytest.raises(UnknownNameError, match="treasury"):
        contract.output("vault", 0)


@pytest.mark.parametrize("form", list(OutputForm))
def test_different_parameters_have_different_addresses(form: OutputForm) -> None:
    addresses = {
        build(treasury.TEMPLATE, terms, NETWORK).address("treasury", index)
        for terms in (
            treasury.TreasuryTerms(1, (A, B), form),
            treasury.TreasuryTerms(2, (A, B), form),
            treasury.TreasuryTerms(2, (A, C), form),
        )
        for index in range(3)
    }
    assert len(addresses) == 9
