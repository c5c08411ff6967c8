"""What an approver reads is the whole intent."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from shared.approvals.intents import AnyIntent, GrantChange, PaymentOutput
from shared.approvals.words import btc, condition_words, headline, lines, time_words
from shared.messages.actions import Action, Comparison, Condition, Reboot, SetSetpoint, SwitchOutlet
from shared.setpoints import PowerLimit, Preset, Run
from tests.approvers import COMMAND, CONTRACT, EVERY_KIND, GRANT, PAYMENT, POLICY
from tests.fleets import NOW_MS


def text(intent: AnyIntent) -> str:
    """Every line."""
    return "\n".join(f"{label}: {value}" for label, value in lines(intent))


def test_a_payment_is_told_with_every_output_whole() -> None:
    told = dict(lines(PAYMENT))
    assert told["From wallet"] == "treasury"
    assert told["Contract path"] == "operations/two-of-three"
    assert told["Output 1 of 2, to"] == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert told["Output 1 of 2, amount"] == "1.50000000 BTC (150000000 sat)"
    assert told["Output 2 of 2, to"] == "script 6a046d656d6f"
    assert told["Fee, at the most"] == "0.00020000 BTC (20000 sat)"
    assert told["In all, at the most"] == "1.50020000 BTC (150020000 sat)"
    assert told["Unique number"] == PAYMENT.unique.hex()
    assert headline(PAYMENT) == "Pay 1.50000000 BTC (150000000 sat) from treasury"


def test_what_differs_is_told_differently() -> None:
    changes: list[AnyIntent] = [
        *EVERY_KIND,
        replace(PAYMENT, wallet="cold"),
        replace(PAYMENT, fee_ceiling_sat=1),
        replace(PAYMENT, contract_path="other"),
        replace(PAYMENT, outputs=(PaymentOutput(1, address="x" * 20),)),
        replace(PAYMENT, deadline_ms=PAYMENT.deadline_ms + 1),
        replace(PAYMENT, unique=bytes(16)),
        replace(COMMAND, node="a-02"),
        replace(COMMAND, site="site-b"),
        replace(COMMAND, lifetime_ms=1),
        replace(COMMAND, precondition=()),
        replace(GRANT, change=GrantChange.REVOKE),
        replace(GRANT, role="auditor"),
        replace(GRANT, scope="company"),
        replace(GRANT, user="carol"),
        replace(POLICY, changes=(("daily_sat", "100", "201"),)),
        replace(CONTRACT, terms=(("price", "0.06 USD/kWh"),)),
        replace(CONTRACT, step="open"),
    ]
    assert len({text(intent) for intent in changes}) == len(changes)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (COMMAND.action, "stop site"),
        (SetSetpoint("m-1", Run(), 5), "run m-1, held for 5 ms against curtailment"),
        (SetSetpoint("m-1", Run(), 7_000), "run m-1, held for 7 s against curtailment"),
        (SetSetpoint("m-1", PowerLimit(2_400)), "limit to 2400 W m-1"),
        (SetSetpoint("m-1", Preset("eco")), "set preset 'eco' of m-1"),
        (Reboot("m-1"), "reboot m-1"),
        (SwitchOutlet("pdu", 3, closed=True), "close (energise) outlet 3 of pdu"),
        (SwitchOutlet("pdu", 3, closed=False), "open outlet 3 of pdu"),
    ],
)
def test_orders_are_told_in_words(action: Action, words: str) -> None:
    told = dict(lines(replace(COMMAND, action=action)))
    assert told["Order"] == words
    assert headline(replace(COMMAND, action=action)) == f"On node a-01 of site site-a: {words}"


def test_conditions_are_told_with_the_type_of_their_value() -> None:
    texts = [
        condition_words(Condition("m", "state", Comparison.EQUAL, value))
        for value in (True, 1, 1.0, "1")
    ]
    assert len(set(texts)) == 4
    assert texts[0] == "state of m is True"


def test_amounts_are_exact() -> None:
    assert btc(0) == "0.00000000 BTC (0 sat)"
    assert btc(2_099_999_997_690_000) == "20999999.97690000 BTC (2099999997690000 sat)"


def test_times_are_told_in_utc_and_here() -> None:
    assert time_words(NOW_MS) == "2024-05-08 12:00:00.000 UTC"
    here = timezone(timedelta(hours=-5))
    assert time_words(NOW_MS, here) == (
        "2024-05-08 12:00:00.000 UTC (here 2024-05-08 07:00:00.000 -0500)"
    )
