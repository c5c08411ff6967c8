"""A fee bump needs no new approval, and can change nothing else."""

from dataclasses import replace

import pytest

from shared.approvals.intents import PaymentOutput
from shared.approvals.payment import Draft, deviation
from tests.approvers import PAYMENT
from tests.fleets import NOW_MS

DRAFT = Draft(PAYMENT.wallet, PAYMENT.contract_path, PAYMENT.outputs, 1_000)
FIRST, SECOND = PAYMENT.outputs


@pytest.mark.parametrize("fee_sat", [0, 1_000, 19_999, 20_000])
def test_the_fee_is_free_up_to_its_ceiling(fee_sat: int) -> None:
    assert deviation(PAYMENT, replace(DRAFT, fee_sat=fee_sat), NOW_MS) is None


def test_the_order_of_outputs_is_free() -> None:
    assert deviation(PAYMENT, replace(DRAFT, outputs=(SECOND, FIRST)), NOW_MS) is None


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        (replace(DRAFT, fee_sat=20_001), "fee"),
        (replace(DRAFT, fee_sat=-1), "fee"),
        (replace(DRAFT, wallet="cold"), "spends from cold"),
        (replace(DRAFT, contract_path="recovery"), "spends by recovery"),
        (replace(DRAFT, outputs=(FIRST,)), "outputs"),
        (replace(DRAFT, outputs=(FIRST, SECOND, SECOND)), "outputs"),
        (replace(DRAFT, outputs=(FIRST, FIRST)), "outputs"),
        (replace(DRAFT, outputs=(replace(FIRST, amount_sat=149_999_999), SECOND)), "outputs"),
        (replace(DRAFT, outputs=(PaymentOutput(150_000_000, address="x" * 20), SECOND)), "outputs"),
        (replace(DRAFT, outputs=(FIRST, PaymentOutput(0, script=b"\x6a"))), "outputs"),
    ],
)
def test_nothing_else_may_change(draft: Draft, told: str) -> None:
    assert told in str(deviation(PAYMENT, draft, NOW_MS))


def test_nothing_is_paid_from_the_deadline_on() -> None:
    assert deviation(PAYMENT, DRAFT, PAYMENT.deadline_ms - 1) is None
    assert "deadline" in str(deviation(PAYMENT, DRAFT, PAYMENT.deadline_ms))
