"""Certificates that must not let anybody in, and names that must not be taken."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.detection.kinds import SecurityKind
from provisioning.authority import Authority, Credentials
from tests.attacks.broker.conftest import (
    ATTACKER,
    PATIENCE_S,
    VICTIM,
    Honest,
    Watched,
    connect,
)
from tests.brokers import CONTROLLER, HOST, Broker


def _of_another_authority(_broker: Broker, folder: Path) -> Credentials:
    return Authority("somebody else").issue(folder, VICTIM)


def _expired(broker: Broker, folder: Path) -> Credentials:
    return broker.authority.issue(folder, VICTIM, now=datetime.now(UTC) - timedelta(days=30))


def _not_yet_valid(broker: Broker, folder: Path) -> Credentials:
    return broker.authority.issue(folder, VICTIM, now=datetime.now(UTC) + timedelta(days=30))


def _a_servers(broker: Broker, folder: Path) -> Credentials:
    return broker.authority.issue(folder, VICTIM, (HOST,))


def _revoked(broker: Broker, folder: Path) -> Credentials:
    credentials = broker.authority.issue(folder, "site-r-01")
    broker.authority.revoke(credentials)
    broker.authority.write_list(broker.folder / "crl.pem")
    broker.reload()
    return credentials


@pytest.mark.parametrize(
    "make", [_of_another_authority, _expired, _not_yet_valid, _a_servers, _revoked]
)
def test_a_certificate_that_is_not_good_is_refused(
    watched: Watched,
    honest: Honest,
    tmp_path: Path,
    make: Callable[[Broker, Path], Credentials],
) -> None:
    client = connect(watched.broker, make(watched.broker, tmp_path), VICTIM)
    assert client.ended.wait(PATIENCE_S)
    assert not client.connected.is_set()
    client.close()
    event = watched.recorded(SecurityKind.CERTIFICATE_REFUSED)
    assert "certificate" in event.detail["why"]
    honest.goes_on()


def test_a_stolen_certificate_of_the_controller_is_refused_once_it_is_listed(
    watched: Watched, honest: Honest, tmp_path: Path
) -> None:
    broker = watched.broker
    stolen = broker.authority.issue(tmp_path, CONTROLLER)
    broker.authority.revoke(stolen)
    broker.authority.write_list(broker.folder / "crl.pem")
    broker.reload()
    client = connect(broker, stolen, CONTROLLER)
    assert client.ended.wait(PATIENCE_S)
    assert not client.connected.is_set()
    client.close()
    event = watched.recorded(SecurityKind.CERTIFICATE_REFUSED)
    assert "certificate" in event.detail["why"]
    honest.goes_on()


def test_a_connection_without_a_certificate_is_refused(watched: Watched, honest: Honest) -> None:
    context = ssl.create_default_context(cafile=str(watched.broker.ca_file))
    with (
        socket.create_connection((HOST, watched.broker.port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
        contextlib.suppress(OSError),
    ):
        connection.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc")
        assert connection.recv(1) == b""
    event = watched.recorded(SecurityKind.CERTIFICATE_REFUSED)
    assert event.detail["why"] == "peer did not return a certificate"
    honest.goes_on()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2])
def test_tls_1_2_is_refused(watched: Watched, honest: Honest, version: ssl.TLSVersion) -> None:
    credentials = watched.broker.credentials(ATTACKER)
    context = ssl.create_default_context(cafile=str(watched.broker.ca_file))
    context.maximum_version = version
    context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    with (
        socket.create_connection((HOST, watched.broker.port), PATIENCE_S) as plain,
        pytest.raises(OSError, match=r"."),
    ):
        context.wrap_socket(plain, server_hostname=HOST)
    event = watched.recorded(SecurityKind.CERTIFICATE_REFUSED)
    assert event.detail["why"] == "unsupported protocol"
    honest.goes_on()


@pytest.mark.parametrize("client_id", [VICTIM, "controller", ""])
def test_another_nodes_client_id_is_not_taken(
    watched: Watched, honest: Honest, client_id: str
) -> None:
    """The broker makes the certificate's name the client id, whatever is asked for; what is then
    tried under the other name is refused and recorded."""
    client = connect(watched.broker, watched.broker.credentials(ATTACKER), client_id)
    assert client.connected.wait(PATIENCE_S)
    assert client.publish(f"bes/1/{VICTIM}/event", b"forged")[-1] == "Not authorized"
    assert watched.recorded(SecurityKind.PUBLISH_REFUSED, ATTACKER)
    honest.goes_on()
    client.close()
