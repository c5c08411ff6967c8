"""The broker's configuration for a site, and the command that writes it."""

from pathlib import Path

import pytest

from provisioning.authority import Authority, Credentials
from provisioning.broker import BrokerPlan, mosquitto_acl, mosquitto_conf
from provisioning.cli import main

PLAN = BrokerPlan(
    folder=Path("/var/lib/bes-broker"),
    port=8883,
    ca_file=Path("/etc/bes/ca.pem"),
    credentials=Credentials(Path("/etc/bes/broker.pem"), Path("/etc/bes/broker.key")),
    controllers=("controller", "controller-2"),
    observers=("tap",),
    crl_file=Path("/etc/bes/crl.pem"),
    dynamic_security=Path("/usr/lib/mosquitto_dynamic_security.so"),
    watched=True,
)


def test_only_tls_1_3_with_a_certificate_is_let_in() -> None:
    lines = set(mosquitto_conf(PLAN).splitlines())
    assert lines >= {
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        "crlfile /etc/bes/crl.pem",
        "set_tcp_nodelay true",
        "persistence true",
    }
    assert {"log_type debug", "log_type subscribe"} <= lines


def test_every_cost_of_a_client_has_a_limit() -> None:
    given = {line.split()[0] for line in mosquitto_conf(PLAN).splitlines() if line}
    assert given >= {
        "max_connections",
        "max_packet_size",
        "message_size_limit",
        "max_inflight_messages",
        "max_queued_messages",
        "max_queued_bytes",
        "memory_limit",
        "max_keepalive",
        "persistent_client_expiration",
    }


def test_a_node_has_its_own_six_topics_and_an_observer_writes_none() -> None:
    sections = mosquitto_acl(PLAN).split("user ")
    assert sections[0].splitlines() == [
        *(f"pattern write bes/1/%u/{name}" for name in ("state", "birth", "telemetry", "event")),
        *(f"pattern read bes/1/%u/{name}" for name in ("ack", "command")),
    ]
    by_user = dict(section.split("\n", 1) for section in sections[1:])
    assert set(by_user) == {"controller", "controller-2", "tap"}
    assert "write" not in by_user["tap"]
    assert "$CONTROL" not in by_user["tap"]
    assert "topic write $CONTROL/dynamic-security/v1" in by_user["controller"]


def arguments(folder: Path) -> list[str]:
    authority = Authority("ours")
    files = authority.issue(folder, "broker", ("127.0.0.1",))
    given = {
        "ca": authority.write_certificate(folder / "ca.pem"),
        "certificate": files.certificate_file,
        "key": files.key_file,
        "crl": authority.write_list(folder / "crl.pem"),
        "etc": folder / "etc",
        "data": folder / "data",
        "log": folder / "bes.log",
        "units": folder / "units",
        "logrotate": folder / "logrotate.conf",
        "user": "root",
        "host": "127.0.0.1",
    }
    return [
        "broker",
        *(part for name, value in given.items() for part in (f"--{name}", str(value))),
    ]


def test_the_command_writes_once_and_says_what_is_left_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tmp_path)
    assert main(given) == 0
    assert "systemctl restart mosquitto" in capsys.readouterr().out
    conf = (tmp_path / "etc" / "mosquitto.conf").read_text()
    assert f"acl_file {tmp_path}/etc/acl" in conf
    assert f"log_dest file {tmp_path}/bes.log" in conf
    assert (tmp_path / "etc" / "acl").stat().st_mode & 0o077 == 0
    assert (
        f"PathChanged={tmp_path}/crl.pem" in (tmp_path / "units/bes-broker-reload.path").read_text()
    )
    (tmp_path / "data" / "dynamic-security.json").write_text("the plug-in's own")
    assert main(given) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert (tmp_path / "data" / "dynamic-security.json").read_text() == "the plug-in's own"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--crl", "/nowhere/crl.pem"], "crl"),
        (["--controller", "a b"], "client"),
        (["--observer", "x\ntopic readwrite #"], "client"),
        (["--observer", "controller"], "client"),
    ],
)
def test_what_cannot_be_right_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], named: str
) -> None:
    assert main([*arguments(tmp_path), *more]) == 1
    assert f"bes provision: {named}" in capsys.readouterr().err
    assert not (tmp_path / "etc").exists()
