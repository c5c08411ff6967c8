"""`bes tap`, without a broker."""

import json
from pathlib import Path

import pytest

from provisioning.tap import Tap, main
from shared.messages.birth import Birth, DeviceDeclaration, MetricDeclaration, MetricType
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, encode_body

BIRTH = Birth(
    number=1,
    node="site-a-01",
    boot_id="b",
    software="s",
    streams={"telemetry": 1, "event": 2},
    devices=(DeviceDeclaration(0, "meter-1", "meter", "modbus-meter"),),
    metrics=(MetricDeclaration(0, "power_w", "W", MetricType.FLOAT),),
)
BATCH = TelemetryBatch(1, 1, False, (TelemetryRow(1, 0, 0, encode_body({0: 5.0})),))


def test_aliases_are_resolved_once_the_birth_was_seen() -> None:
    lines: list[str] = []
    tap = Tap(lines.append)
    tap.show("bes/1/site-a-01/telemetry", BATCH.encode())
    tap.show("bes/1/site-a-01/birth", BIRTH.encode(), retained=True)
    tap.show("bes/1/site-a-01/telemetry", BATCH.encode())
    shown = [json.loads(line) for line in lines]
    assert shown[0]["rows"][0]["values"] == {"0": 5.0}
    assert shown[1]["retained"] is True
    assert shown[2]["rows"][0]["values"] == {"power_w": 5.0}


def test_what_is_not_of_the_wire_is_shown_as_malformed() -> None:
    lines: list[str] = []
    tap = Tap(lines.append)
    tap.show("bes/1/site-a-01/birth", b"\xff\xff")
    tap.show("something/else", b"x" * 10)
    shown = [json.loads(line) for line in lines]
    assert [line["bytes"] for line in shown] == [2, 10]
    assert all(line["malformed"] for line in shown)


@pytest.mark.parametrize("node", ["Site A", "site-a/01"])
def test_a_name_that_is_no_nodes_is_refused(
    node: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--ca", "ca.pem", "--certificate", "tap.pem", "--key", "tap.key"]
    assert main([*files, "--node", node]) == 1
    assert "a lower-case DNS label" in capsys.readouterr().err


def test_files_that_are_missing_are_an_error_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "absent.pem")
    assert main(["--ca", absent, "--certificate", absent, "--key", absent]) == 1
    assert capsys.readouterr().err.startswith("bes tap: ")
