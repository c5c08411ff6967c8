"""Attacks with certificates on a real broker: refused, in its log, and others not disturbed.

What a node may say once it is in, and how a live connection is cut, is the broker's own part.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.authority import Authority, Credentials
from tests.brokers import HOST, Broker, running_broker
from tests.waiting import wait_for

NODE = "site-a-01"
# CONNECT of MQTT 5 (section 3.1): no user name, client id "site-a-01", keep-alive of a minute.
_BODY = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(NODE).to_bytes(2, "big") + NODE.encode()
_CONNECT = b"\x10" + bytes([len(_BODY)]) + _BODY
_CONNACK_OK = b"\x20"
_PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def context(broker: Broker, credentials: Credentials | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(broker.ca_file))
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if credentials is not None:
        made.load_cert_chain(credentials.certificate_file, credentials.key_file)
    return made


def connects(broker: Broker, made: ssl.SSLContext) -> bool:
    """Whether the broker answers CONNECT; False when it ends the connection instead."""
    with socket.create_connection((HOST, broker.port), _PATIENCE_S) as plain:
        try:
            with made.wrap_socket(plain, server_hostname=HOST) as secure:
                secure.sendall(_CONNECT)
                return secure.recv(1) == _CONNACK_OK
        except (ssl.SSLError, ConnectionError):
            return False


def refused(broker: Broker, made: ssl.SSLContext, recorded: str) -> None:
    """Refused, recorded in the log, and a good client is still let in."""
    before = broker.log_file.read_text().count(recorded)
    assert not connects(broker, made)
    wait_for(lambda: broker.log_file.read_text().count(recorded) > before, f"{recorded!r} logged")
    assert connects(broker, context(broker, broker.credentials(NODE)))


def test_a_client_of_another_authority_of_the_same_name_is_refused(
    broker: Broker, tmp_path: Path
) -> None:
    stranger = Authority("bes tests").issue(tmp_path, NODE)
    refused(broker, context(broker, stranger), "certificate verify failed")


def test_an_expired_client_is_refused(broker: Broker, tmp_path: Path) -> None:
    ago = datetime.now(UTC) - timedelta(days=30)
    expired = broker.authority.issue(tmp_path, NODE, now=ago, lifetime=timedelta(days=7))
    refused(broker, context(broker, expired), "certificate verify failed")


def test_a_client_from_the_future_is_refused(broker: Broker, tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(days=30)
    early = broker.authority.issue(tmp_path, NODE, now=ahead)
    refused(broker, context(broker, early), "certificate verify failed")


def test_a_server_that_poses_as_a_client_is_refused(broker: Broker, tmp_path: Path) -> None:
    server = broker.authority.issue(tmp_path, NODE, (HOST,))
    refused(broker, context(broker, server), "certificate verify failed")


def test_a_client_without_a_certificate_is_refused(broker: Broker) -> None:
    refused(broker, context(broker, None), "peer did not return a certificate")


def test_tls_1_2_is_refused(broker: Broker) -> None:
    old = context(broker, broker.credentials(NODE))
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    refused(broker, old, "unsupported protocol")


def test_plain_text_is_refused(broker: Broker) -> None:
    before = broker.log_file.read_text().count("SSL routines")
    with socket.create_connection((HOST, broker.port), _PATIENCE_S) as plain:
        plain.sendall(_CONNECT)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = plain.recv(1)
    assert answer != _CONNACK_OK
    wait_for(lambda: broker.log_file.read_text().count("SSL routines") > before, "it is logged")
    assert connects(broker, context(broker, broker.credentials(NODE)))
