"""The configuration that enrolment writes."""

from pathlib import Path

import pytest

from agent.identity.errors import EnrolmentError
from agent.identity.settings import Enrolled, Places, merged

ENROLLED = Enrolled("site-a-01", "site", "https://c.example", "b.example", 8883, {"ab": "PEM"})
FOLDER = Path("/data/identity")
PLACES = Places(
    data_dir=Path("/data"),
    identity_dir=FOLDER,
    roots_file=FOLDER / "roots.pem",
    certificate_file=FOLDER / "current" / "certificate.pem",
    key_file=FOLDER / "current" / "key.pem",
    command_key_files={"ab": Path("/config/command-keys/ab.pem")},
)


def test_a_fresh_host_gets_all_it_needs() -> None:
    written = merged({}, ENROLLED, PLACES)
    assert written["node"] == "site-a-01"
    assert written["broker"]["host"] == "b.example"
    assert written["commands"]["trusted_keys"] == {"ab": "/config/command-keys/ab.pem"}
    assert written["identity"] == {"url": "https://c.example", "folder": "/data/identity"}


def test_what_an_operator_wrote_stays() -> None:
    existing = {
        "node": "site-a-01",
        "device": [{"name": "miner-1"}],
        "broker": {"host": "old.example", "keepalive_s": 60},
        "commands": {"keep_days": 5, "trusted_keys": {"cd": "/old.pem"}},
    }
    written = merged(existing, ENROLLED, PLACES)
    assert written["device"] == [{"name": "miner-1"}]
    assert written["broker"]["keepalive_s"] == 60
    assert written["broker"]["host"] == "b.example"
    assert written["commands"]["keep_days"] == 5
    assert written["commands"]["trusted_keys"] == {"ab": "/config/command-keys/ab.pem"}


def test_writing_twice_changes_nothing() -> None:
    once = merged({"device": []}, ENROLLED, PLACES)
    assert merged(once, ENROLLED, PLACES) == once


def test_another_nodes_configuration_is_left_alone() -> None:
    with pytest.raises(EnrolmentError, match="site-b-01"):
        merged({"node": "site-b-01"}, ENROLLED, PLACES)
