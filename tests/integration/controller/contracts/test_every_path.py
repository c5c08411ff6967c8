"""Every template, every path, on Core's engine: accepted when it should be, else refused."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.chain.engine import verify
from controller.chain.errors import ScriptRefusedError
from controller.contracts.context import ExecutionContext, Request, Tip
from controller.contracts.contract import Contract, build
from controller.contracts.draft import Draft
from controller.contracts.errors import NotYetError, UnsatisfiedError
from controller.contracts.execute import execute
from controller.contracts.parties import OutputForm, Participant
from controller.contracts.paths import ContractPath
from controller.contracts.signing import InputSignatures, MemoryKeys, finish, satisfy, sign
from controller.contracts.templates import htlc
from shared.bitcoin.descriptors import Offered
from shared.bitcoin.hashes import sha256
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from tests.integration.controller.contracts.parameters import (
    APPROVALS,
    DEADLINE_MS,
    DRAWN,
    INTENT,
    MARKET,
    NETWORK,
    NOW_MS,
    SECRET,
    draw_coins,
    draw_contract,
    draw_draft,
    names_of,
    signed,
)

SETS = 5
SOAK_SETS = 1_000
PREIMAGES = {sha256(SECRET): SECRET}


def _drawn(template: str, sets: int) -> Iterator[tuple[Contract, ContractPath, random.Random]]:
    for number in range(sets):
        draw = random.Random(f"{template} {number}")
        contract = draw_contract(template, draw)
        for path in contract.paths.values():
            yield contract, path, draw


def _judge(contract: Contract, path: ContractPath, draw: random.Random) -> None:
    draft = draw_draft(contract, path, draw)
    made = signed(draft, names_of(draft), draw)
    transaction = finish(draft, made, verify, PREIMAGES)
    _refused_one_signature_short(draft, made, transaction, draw)
    _refused_one_block_short(draft, draw)
    if path.older or path.after:
        _not_drafted_one_block_early(contract, path, draw)
    short = [TxOut(one.amount_sat - 1, one.script_pubkey) for one in draft.prevouts]
    with pytest.raises(ScriptRefusedError):
        verify(transaction, short)
    if path.hashes:
        with pytest.raises(UnsatisfiedError):
            satisfy(draft, made)


def _refused_one_signature_short(
    draft: Draft,
    made: tuple[InputSignatures, ...],
    transaction: Transaction,
    draw: random.Random,
) -> None:
    """By us, and by the engine where a signature is left out of a finished witness."""
    all_but_one = names_of(draft) - {draw.choice(sorted(names_of(draft)))}
    with pytest.raises(UnsatisfiedError):
        satisfy(draft, signed(draft, all_but_one, draw), PREIMAGES)
    of_first = made[0]
    known = {*of_first.signatures.values(), *of_first.leaf_signatures.values()}
    known.add(of_first.key_signature or b"none")
    first, *others = transaction.inputs
    places = [place for place, one in enumerate(first.witness) if one in known]
    assert places
    for place in places:
        witness = (*first.witness[:place], b"", *first.witness[place + 1 :])
        changed = [witness, *(one.witness for one in others)]
        with pytest.raises(ScriptRefusedError):
            verify(draft.transaction.with_witnesses(changed), draft.prevouts)


def _refused_one_block_short(draft: Draft, draw: random.Random) -> None:
    """The engine refuses a witness whose transaction claims one block less than the script asks."""
    path, full = draft.path, draft.transaction
    if not path.older and not path.after:
        return
    lock_time = path.after - 1 if path.after else full.lock_time
    sequence = path.older - 1 if path.older else path.sequence
    inputs = tuple(TxIn(one.outpoint, sequence=sequence) for one in full.inputs)
    early = replace(draft, transaction=Transaction(full.version, inputs, full.outputs, lock_time))
    made = signed(early, names_of(draft), draw)
    witnesses = []
    for output, one in zip(draft.spent, made, strict=True):
        offered = Offered(
            one.signatures,
            one.key_signature,
            one.leaf_signatures,
            PREIMAGES,
            path.sequence,
            max(path.after, full.lock_time),
        )
        spend = output.satisfaction(offered)
        assert spend is not None
        witnesses.append(spend.witness)
    with pytest.raises(ScriptRefusedError):
        verify(early.transaction.with_witnesses(witnesses), draft.prevouts)


def _not_drafted_one_block_early(
    contract: Contract, path: ContractPath, draw: random.Random
) -> None:
    made_at = max(1, path.after - 10)
    coins = draw_coins(path, draw, made_at, 1)
    earliest = path.earliest_height(made_at)
    names = frozenset(name for one in path.options for group in one.signers for name in group.names)
    context = ExecutionContext(Tip(earliest - 2, 0), coins, MARKET, names, APPROVALS, 0, NOW_MS)
    request = Request(200_000, DEADLINE_MS, INTENT, sweep_to_change=True)
    with pytest.raises(NotYetError) as refused:
        execute(contract, path.name, context, request)
    assert refused.value.wait_blocks == 1
    assert refused.value.earliest_height == earliest
    later = replace(context, tip=Tip(earliest - 1, 0))
    assert execute(contract, path.name, later, request).transaction.inputs


@pytest.mark.parametrize("template", DRAWN)
def test_every_path_is_accepted_and_refused_a_block_a_signature_or_a_satoshi_short(
    template: str,
) -> None:
    for contract, path, draw in _drawn(template, SETS):
        _judge(contract, path, draw)


@pytest.mark.soak
@pytest.mark.parametrize("template", DRAWN)
def test_every_path_with_a_thousand_parameter_sets(template: str) -> None:
    for contract, path, draw in _drawn(template, SOAK_SETS):
        _judge(contract, path, draw)


@pytest.mark.parametrize("form", list(OutputForm))
def test_a_contract_of_single_keys_has_one_output_and_is_spent_with_them(form: OutputForm) -> None:
    """As a counterparty brings them who has no extended key to show."""
    keys = [PrivateKey(bytes((number,)) * 32) for number in (1, 2)]
    sender, receiver = (
        Participant(f"side-{place}", key.public_key.hex()) for place, key in enumerate(keys)
    )
    terms = htlc.HtlcTerms(sender, receiver, sha256(SECRET), 100_000, 500, form)
    contract = build(htlc.TEMPLATE, terms, NETWORK)
    assert contract.address(htlc.PART, 0) == contract.address(htlc.PART, 9, 1)
    draw = random.Random(form.value)
    draft = draw_draft(contract, contract.path("claim"), draw)
    made = sign(draft, MemoryKeys(single=keys[1:]), bytes(32))
    assert finish(draft, made, verify, PREIMAGES).has_witness
    with pytest.raises(UnsatisfiedError):
        satisfy(draft, sign(draft, MemoryKeys(single=keys[:1]), bytes(32)), PREIMAGES)
