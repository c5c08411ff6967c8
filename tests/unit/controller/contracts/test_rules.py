"""What the signing rules refuse, each by its name."""

from dataclasses import replace

import pytest

from controller.contracts.errors import ContractError, SigningRefusedError
from controller.contracts.history import History, Signed
from controller.contracts.intents import Cancel, Kind, Payment, ProofOfFunds, Sweep
from controller.contracts.rules import Proposal, judge_cancel, judge_payment, judge_sweep
from shared.approvals.intents import PaymentIntent, PaymentOutput
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

OWN = b"\x51\x20" + bytes(32)
PAYEE = TxOut(1_000, b"\x00\x14" + bytes(20))
COIN = OutPoint(b"\x01" * 32, 0)
HISTORY = History(final_coins=frozenset((COIN,)))
NOW_MS = 100
INTENT = bytes(range(16))
CHANGE = TxOut(8_500, OWN)


def payment(**changes: object) -> Payment:
    output = PaymentOutput(1_000, script=PAYEE.script_pubkey)
    approved = PaymentIntent("wallet", (output,), "spend", 600, 200, INTENT)
    return Payment(replace(approved, **changes))  # type: ignore[arg-type]


def proposal(*outputs: TxOut, coin: OutPoint = COIN, amount_sat: int = 10_000) -> Proposal:
    transaction = Transaction(3, (TxIn(coin),), outputs)
    return Proposal(transaction, [TxOut(amount_sat, OWN)], lambda one: one.script_pubkey == OWN)


def judge(asked: Proposal, *payments: Payment, now_ms: int = NOW_MS) -> Signed:
    scripts = {one.id: (PAYEE,) for one in payments}
    return judge_payment(asked, payments, scripts, HISTORY, now_ms)


def test_exactly_what_was_approved_is_signed_and_change_is_known() -> None:
    made = judge(proposal(CHANGE, PAYEE), payment())
    assert (made.kind, made.own, made.fee_sat) == (Kind.PAYMENT, frozenset((0,)), 500)


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (proposal(CHANGE), "outputs"),
        (proposal(CHANGE, PAYEE, PAYEE), "outputs"),
        (proposal(CHANGE, replace(PAYEE, amount_sat=1_001)), "outputs"),
        (
            proposal(CHANGE, PAYEE, replace(PAYEE, script_pubkey=b"\x00\x14" + b"\x01" * 20)),
            "outputs",
        ),
        (proposal(replace(CHANGE, amount_sat=8_399), PAYEE), "fee"),
        (proposal(replace(CHANGE, amount_sat=9_001), PAYEE), "fee"),
        (proposal(CHANGE, PAYEE, coin=OutPoint(b"\x02" * 32, 0)), "coins"),
    ],
)
def test_what_was_not_approved_is_refused(asked: Proposal, rule: str) -> None:
    with pytest.raises(SigningRefusedError) as refused:
        judge(asked, payment())
    assert refused.value.rule == rule


def test_two_intents_share_a_wallet_a_path_and_are_each_there_once() -> None:
    other = replace(payment().approved, unique=bytes(16))
    asked = proposal(replace(CHANGE, amount_sat=7_500), PAYEE, PAYEE)
    assert len(judge(asked, payment(), Payment(other)).intents) == 2
    for payments in (
        (payment(), payment()),
        (payment(), Payment(replace(other, wallet="other"))),
        (payment(), Payment(replace(other, contract_path="recovery"))),
        (),
    ):
        with pytest.raises(SigningRefusedError, match="intents"):
            judge(asked, *payments)


def test_after_the_deadline_no_payment_is_signed() -> None:
    asked = proposal(CHANGE, PAYEE)
    assert judge(asked, payment(), now_ms=199).intents == {INTENT}
    with pytest.raises(SigningRefusedError, match="deadline"):
        judge(asked, payment(), now_ms=200)


def test_a_cancel_of_what_was_never_signed_or_to_others_is_refused() -> None:
    cancel = Cancel("contract", "treasury", 600, 200, bytes(16), INTENT)
    own = proposal(replace(CHANGE, amount_sat=9_500))
    with pytest.raises(SigningRefusedError, match="nothing was signed for it"):
        judge_cancel(own, cancel, HISTORY, NOW_MS)
    signed = HISTORY.with_signed(judge(proposal(CHANGE, PAYEE), payment()))
    assert judge_cancel(own, cancel, signed, NOW_MS).intents == {INTENT}
    with pytest.raises(SigningRefusedError, match="outputs"):
        judge_cancel(proposal(CHANGE, PAYEE), cancel, signed, NOW_MS)
    with pytest.raises(SigningRefusedError, match="deadline"):
        judge_cancel(own, cancel, signed, 200)


def test_a_payment_after_a_cancel_excludes_the_cancel() -> None:
    coins = frozenset((COIN, OutPoint(b"\x02" * 32, 0)))
    history = History(final_coins=coins)
    first = judge_payment(proposal(CHANGE, PAYEE), [payment()], {INTENT: (PAYEE,)}, history, NOW_MS)
    history = history.with_signed(first)
    cancel = Cancel("contract", "treasury", 600, 200, bytes(16), INTENT)
    both = Transaction(3, tuple(map(TxIn, sorted(coins))), (TxOut(19_500, OWN),))
    asked = Proposal(both, [TxOut(10_000, OWN)] * 2, lambda one: one.script_pubkey == OWN)
    history = history.with_signed(judge_cancel(asked, cancel, history, NOW_MS))
    again = proposal(replace(CHANGE, amount_sat=8_450), PAYEE)
    last = judge_payment(again, [payment()], {INTENT: (PAYEE,)}, history, NOW_MS)
    assert all(history.exclude(last, one) for one in history.signed)


def test_a_sweep_to_another_script_or_of_another_coin_is_refused() -> None:
    sweep = Sweep(
        "contract", "treasury", 600, 200, bytes(16), "spend", (COIN,), PAYEE.script_pubkey
    )
    right = proposal(replace(PAYEE, amount_sat=9_500))
    assert judge_sweep(right, sweep, HISTORY, NOW_MS).spends == {COIN}
    with pytest.raises(SigningRefusedError, match="outputs"):
        judge_sweep(proposal(CHANGE), sweep, HISTORY, NOW_MS)
    elsewhere = proposal(replace(PAYEE, amount_sat=9_500), coin=OutPoint(b"\x02" * 32, 0))
    with pytest.raises(SigningRefusedError, match="coins"):
        judge_sweep(elsewhere, sweep, HISTORY, NOW_MS)


def test_intents_check_themselves() -> None:
    with pytest.raises(ContractError, match="target"):
        Cancel("contract", "treasury", 600, 200, INTENT, INTENT)
    with pytest.raises(ContractError, match="coins"):
        Sweep("contract", "treasury", 600, 200, INTENT, "spend", (COIN, COIN), OWN)
    with pytest.raises(ContractError, match="fee_ceiling_sat"):
        ProofOfFunds("contract", "treasury", 1, 200, INTENT, "mine", (COIN,))
    with pytest.raises(ContractError, match="message"):
        ProofOfFunds("contract", "treasury", 0, 200, INTENT, "", (COIN,))
    proof = ProofOfFunds("contract", "treasury", 0, 200, INTENT, "mine", (COIN,))
    assert proof.approved.terms == (("message", "mine"), ("coins.1", COIN.hex))
