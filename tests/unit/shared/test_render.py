"""The wire as JSON."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import BadInputError
from shared.measured import Reason, Unknown
from shared.messages.ack import Ack, AckedRange
from shared.messages.actions import Comparison, Condition, SetSetpoint
from shared.messages.birth import Birth, DeviceDeclaration, MetricDeclaration, MetricType
from shared.messages.command import Command, sign
from shared.messages.event import Event, EventBatch, EventKind, EventRow, Severity
from shared.messages.render import Births, render
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, encode_body
from shared.setpoints import PowerLimit

NOW_MS = 1_715_170_000_123
BIRTH = Birth(
    number=3,
    node="site-a-01",
    boot_id="b00t",
    software="suite",
    streams={"telemetry": 1, "event": 2},
    devices=(DeviceDeclaration(0, "miner-1", "miner", "luxos", {"model": "S19"}),),
    metrics=(
        MetricDeclaration(0, "hashrate_ths", "TH/s", MetricType.FLOAT),
        MetricDeclaration(1, "miner_power_w", "W", MetricType.FLOAT),
    ),
)


def rendered(channel: str, payload: bytes, births: Births | None = None) -> dict[str, Any]:
    shown = render(f"bes/1/site-a-01/{channel}", payload, births or {})
    again = json.loads(json.dumps(shown, allow_nan=False))
    assert again == shown, "it is not plain JSON"
    assert (shown["node"], shown["channel"]) == ("site-a-01", channel)
    return shown


def telemetry(body: bytes) -> bytes:
    return TelemetryBatch(1, 3, False, (TelemetryRow(7, NOW_MS, 0, body),)).encode()


def test_rows_carry_names_where_their_birth_is_known() -> None:
    payload = telemetry(encode_body({0: 110.5, 1: Unknown(Reason.TIMEOUT)}))
    (row,) = rendered("telemetry", payload, {("site-a-01", 3): BIRTH})["rows"]
    assert row["device"] == "miner-1"
    assert row["time"] == "2024-05-08T12:06:40.123+00:00"
    assert row["values"] == {"hashrate_ths": 110.5, "miner_power_w": {"unknown": "timeout"}}


@pytest.mark.parametrize("births", [{}, {("site-a-01", 2): BIRTH}, {("site-b-01", 3): BIRTH}])
def test_rows_keep_their_numbers_where_their_birth_is_not_known(births: Births) -> None:
    shown = rendered("telemetry", telemetry(encode_body({0: 110.5})), births)
    assert shown["birth_known"] is False
    assert shown["rows"][0]["device"] == 0
    assert shown["rows"][0]["values"] == {"0": 110.5}


def test_a_value_that_is_no_number_is_still_json() -> None:
    (row,) = rendered("telemetry", telemetry(encode_body({0: float("nan")})))["rows"]
    assert row["values"] == {"0": "nan"}


def test_a_row_that_cannot_be_read_does_not_hide_the_others() -> None:
    rows = (TelemetryRow(1, NOW_MS, 0, b"\xff"), TelemetryRow(2, NOW_MS, 0, encode_body({0: 1})))
    shown = rendered("telemetry", TelemetryBatch(1, 3, True, rows).encode())
    assert "malformed" in shown["rows"][0]
    assert shown["rows"][1]["values"] == {"0": 1}


def test_events_are_opened() -> None:
    event = Event(EventKind.ALARM, Severity.WARNING, {"code": "hot", "raw": b"\x01\x02"}, "miner-1")
    bodies = (EventRow(5, NOW_MS, event.encode()), EventRow(6, NOW_MS, b"\xff"))
    rows = rendered("event", EventBatch(2, bodies).encode())["rows"]
    assert (rows[0]["kind"], rows[0]["device"]) == ("alarm", "miner-1")
    assert rows[0]["data"] == {"code": "hot", "raw": "0102"}
    assert "malformed" in rows[1]


def test_a_command_is_shown_and_said_not_to_be_checked() -> None:
    command = Command(
        id="c-1",
        node="site-a-01",
        stream=2,
        seq=4,
        actor="alice",
        issued_at_ms=NOW_MS,
        not_before_ms=NOW_MS,
        expires_at_ms=NOW_MS + 1_000,
        action=SetSetpoint("miner-1", PowerLimit(2_000)),
        precondition=(Condition("miner-1", "temperature_c", Comparison.AT_MOST, 80.0),),
    )
    shown = rendered("command", sign(command, Ed25519PrivateKey.generate(), b"key"))
    assert shown["signature"] == "not checked"
    assert (shown["action"], shown["seq"]) == ("setpoint", 4)
    assert shown["params"]["setpoint"] == {"kind": "power_limit", "power_w": 2_000}
    assert shown["precondition"] == [["miner-1", "temperature_c", "le", 80.0]]


def test_state_birth_and_ack_are_shown() -> None:
    state = rendered("state", State(True, "b00t", NOW_MS, None).encode())
    assert (state["online"], state["clock_synchronised"]) == (True, None)
    birth = rendered("birth", BIRTH.encode())
    assert birth["devices"][0]["facts"] == {"model": "S19"}
    ack = rendered("ack", Ack((AckedRange(1, 2, 3),), (9,)).encode())
    assert ack["ranges"] == [{"stream": 1, "first": 2, "last": 3}]


def test_a_cleared_retained_message_is_shown_as_such() -> None:
    assert rendered("birth", b"")["cleared"] is True


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("bes/2/site-a-01/state", b""),
        ("bes/1/site-a-01/other", b""),
        ("bes/1/site-a-01/state", b"\xff"),
        ("bes/1/site-a-01/command", b"\xa0"),
        ("bes/1/site-a-01/birth", b"\xa0"),
    ],
)
def test_what_is_not_of_the_wire_is_refused(topic: str, payload: bytes) -> None:
    with pytest.raises(BadInputError):
        render(topic, payload, {})
