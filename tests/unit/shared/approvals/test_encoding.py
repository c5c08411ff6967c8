"""An intent has one encoding, and what is not it is refused."""

import hashlib
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from shared.approvals.encoding import MAX_INTENT, decode, digest_of, encode
from shared.approvals.intents import (
    AnyIntent,
    CommandIntent,
    ContractIntent,
    IntentKind,
    PaymentIntent,
    PaymentOutput,
    PolicyIntent,
)
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.actions import Comparison, Condition, Reboot
from tests.approvers import COMMAND, CONTRACT, EVERY_KIND, PAYMENT, POLICY


def frame(intent: AnyIntent = PAYMENT, **changed: Any) -> dict[str, Any]:
    """The intent's frame with some of its fields changed; None takes one away."""
    fields = {**intent.to_fields(), **changed}
    return {
        "fields": {name: value for name, value in fields.items() if value is not None},
        "kind": intent.kind.value,
        "version": 1,
    }


@pytest.mark.parametrize("intent", EVERY_KIND, ids=lambda intent: intent.kind.value)
def test_an_intent_comes_back_as_it_was(intent: AnyIntent) -> None:
    assert decode(encode(intent)) == intent


def test_every_kind_is_here() -> None:
    assert {intent.kind for intent in EVERY_KIND} == set(IntentKind)


@pytest.mark.parametrize("intent", EVERY_KIND, ids=lambda intent: intent.kind.value)
def test_the_unique_number_makes_equal_wishes_different(intent: AnyIntent) -> None:
    again = replace(intent, unique=bytes([9] * 16))
    assert digest_of(encode(again)) != digest_of(encode(intent))


def test_the_digest_is_not_the_plain_hash() -> None:
    content = encode(PAYMENT)
    assert digest_of(content) != hashlib.sha256(content).digest()
    assert len(digest_of(content)) == 32


@pytest.mark.parametrize("intent", EVERY_KIND, ids=lambda intent: intent.kind.value)
def test_one_field_more_or_less_is_refused(intent: AnyIntent) -> None:
    with pytest.raises(BadInputError, match="not a field of this kind"):
        decode(cbor.encode(frame(intent, note="by the way")))
    for name in intent.to_fields():
        with pytest.raises(BadInputError):
            decode(cbor.encode(frame(intent, **{name: None})))


def test_an_unknown_kind_or_version_is_refused() -> None:
    wrong: list[dict[str, Any]] = [{"kind": "gift"}, {"kind": 7}, {"kind": []}]
    for changed in [*wrong, {"version": 2}, {"version": True}]:
        with pytest.raises(BadInputError):
            decode(cbor.encode({**frame(), **changed}))
    with pytest.raises(BadInputError):
        decode(cbor.encode({**frame(), "more": 1}))


def test_the_same_meaning_in_another_encoding_is_refused() -> None:
    content = encode(PAYMENT)
    unsorted = cbor2.dumps(dict(reversed(frame().items())))
    assert cbor.decode(unsorted) == cbor.decode(content)
    with pytest.raises(BadInputError, match="canonical"):
        decode(unsorted)
    with pytest.raises(BadInputError):
        decode(content + b"\x00")
    with pytest.raises(BadInputError):
        decode(content[:-1])


def test_a_whole_number_written_as_a_float_is_refused() -> None:
    with pytest.raises(BadInputError):
        decode(cbor.encode(frame(fee_ceiling_sat=20_000.0)))


def test_an_intent_too_large_is_refused_in_both_directions() -> None:
    large = replace(PAYMENT, outputs=(PaymentOutput(1, script=bytes(10_000)),) * 7)
    with pytest.raises(BadInputError, match="at most"):
        encode(large)
    with pytest.raises(BadInputError, match="at most"):
        decode(bytes(MAX_INTENT + 1))


@pytest.mark.parametrize(
    "changed",
    [
        {"fee_ceiling_sat": -1},
        {"fee_ceiling_sat": True},
        {"fee_ceiling_sat": 21_000_000 * 100_000_000 + 1},
        {"deadline_ms": 0},
        {"deadline_ms": 2**62},
        {"unique": bytes(15)},
        {"unique": "0" * 16},
        {"wallet": ""},
        {"wallet": "treasury\n"},
        {"wallet": "tr\u0435asury"},  # a Cyrillic letter
        {"wallet": "two  blanks"},
        {"outputs": []},
        {"outputs": [["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", -5]]},
        {"outputs": [["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 0]]},
        {"outputs": [["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", True]]},
        {"outputs": [["bc1q", 5]]},
        {"outputs": [["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\u202e", 5]]},
        {"outputs": [[b"", 5]]},
        {"outputs": [[b"\x6a", 5, 6]]},
        {"outputs": "all of it"},
        {"outputs": [[b"\x6a", 21_000_000 * 100_000_000], [b"\x6a", 1]]},
    ],
)
def test_a_payment_with_a_bad_field_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        decode(cbor.encode(frame(PAYMENT, **changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"action": "melt"},
        {"params": {"device": "site", "outlet": 1}},
        {"params": {"device": "mi\u202ener", "setpoint": {"kind": "stop"}, "hold_ms": 0}},
        {"precondition": [["site", "power_w", "ge", float("nan")]]},
        {"precondition": [["site", "power_w", "ge", float("inf")]]},
        {"precondition": [["site", "power_w", "about", 1]]},
        {"lifetime_ms": 0},
        {"node": "a-01; all"},
    ],
)
def test_a_command_with_a_bad_field_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        decode(cbor.encode(frame(COMMAND, **changed)))


@pytest.mark.parametrize(
    "text", ["a\u202eb", "a\x00b", "a\nb", "a\u200bb", " a", "e\u0301", "\ud800", "a\u2028b"]
)
def test_text_that_does_not_show_what_it_is_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        replace(POLICY, changes=(("daily_sat", "1", text),))
    with pytest.raises(BadInputError):
        replace(CONTRACT, terms=(("price", text),))


def test_text_of_any_script_is_taken_where_it_names_nothing() -> None:
    told = replace(CONTRACT, terms=(("note", "Überweisung an 株式会社 — 5 €"),))
    assert decode(encode(told)) == told


def test_settings_and_terms_are_named_once() -> None:
    with pytest.raises(BadInputError):
        PolicyIntent("p", (("a", "1", "2"), ("a", "1", "3")), 1, bytes(16))
    with pytest.raises(BadInputError):
        ContractIntent("c", "t", "s", (), 1, bytes(16))


def test_an_output_has_one_destination() -> None:
    with pytest.raises(BadInputError):
        PaymentOutput(1)
    with pytest.raises(BadInputError):
        PaymentOutput(1, address="a" * 20, script=b"\x6a")


def test_what_cannot_be_read_cannot_be_made() -> None:
    with pytest.raises(BadInputError):
        replace(PAYMENT, wallet="a\tb")
    with pytest.raises(BadInputError):
        CommandIntent(
            "s",
            "n",
            Reboot("d"),
            (Condition("d", "m", Comparison.EQUAL, float("inf")),),
            1,
            1,
            bytes(16),
        )
    with pytest.raises(BadInputError):
        PaymentIntent("w", (PaymentOutput(1, address="x" * 20),), "p", -1, 1, bytes(16))
