"""The listener's certificate follows its files; nothing but TLS 1.3 is spoken."""

import os
import ssl
from pathlib import Path

import pytest

from controller.tls import ServerTls
from shared.errors import BadInputError
from shared.identity.keys import key_pem
from tests.enrolments import CertificateAuthority, new_key

CA = CertificateAuthority("ours")


def served_serial(tls: ServerTls) -> int:
    """The serial number of the certificate that a client is shown, over memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = tls.context.wrap_bio(to_server, to_client, server_side=True)
    client = CA.client_context().wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = client.getpeercert()
    assert shown is not None
    assert client.version() == "TLSv1.3"
    return int(str(shown["serialNumber"]), 16)


def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    tls = ServerTls(*CA.server_files(tmp_path))
    before = served_serial(tls)
    assert not tls.follow()
    assert served_serial(tls) == before
    CA.server_files(tmp_path)
    tls.follow()
    assert served_serial(tls) != before


def test_files_that_do_not_belong_together_leave_what_serves(tmp_path: Path) -> None:
    _, key_file = files = CA.server_files(tmp_path)
    tls = ServerTls(*files)
    before = served_serial(tls)
    good = key_file.read_bytes()
    key_file.write_bytes(key_pem(new_key()))
    with pytest.raises(ssl.SSLError):
        tls.follow()
    assert served_serial(tls) == before
    key_file.write_bytes(good)
    os.utime(key_file, ns=(1, 1))
    tls.follow()
    assert served_serial(tls) == before


def test_files_that_do_not_serve_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"http\.certificate_file"):
        ServerTls(tmp_path / "no.pem", tmp_path / "no.key")
