"""`bes node` against the interface, over HTTPS."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from controller.enrolment.cli import main
from shared.identity.fingerprints import grouped
from shared.identity.pem import certificates_pem
from tests.enrolments import OPERATOR_TOKEN, CertificateAuthority, Interface, new_key

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Node = Callable[..., tuple[int, str, str]]


@pytest.fixture
def node(interface: Interface, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    """`bes node ...`: the exit status, what it printed, what it said."""
    token, roots = tmp_path / "token", tmp_path / "roots.pem"
    token.write_text(f"{OPERATOR_TOKEN}\n")
    roots.write_bytes(certificates_pem((interface.ca.root,)))

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        given = ["--url", interface.url, "--ca-file", str(roots), "--token-file", str(token)]
        status = main([*given, *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def _new(node: Node, *more: str) -> str:
    status, printed, _ = node("new", "site-a-01", "--site", "site-a", "--role", "site", *more)
    assert status == 0
    return printed


def _token(printed: str) -> str:
    assert printed.count("\n") == 1
    return printed.split()[2]


def test_one_command_is_printed_and_nothing_else(interface: Interface, node: Node) -> None:
    printed = _new(node)
    assert printed.startswith("printf '%s' site-a-01.")
    assert "| sudo provisioning/install/install-agent.sh --role site " in printed
    assert interface.fingerprint in printed
    assert interface.join(_token(printed)).status_code == 200


def test_an_installed_host_is_given_the_command_that_joins_only(
    interface: Interface, node: Node
) -> None:
    printed = _new(node, "--installed")
    assert f"| sudo bes agent join {interface.desk.url} --config-dir /etc/bes/site " in printed
    assert interface.join(_token(printed)).status_code == 200


def test_a_host_is_confirmed_by_the_fingerprint_that_the_list_shows(
    interface: Interface, node: Node
) -> None:
    token, key = _token(_new(node, "--confirm-key")), new_key()
    fingerprint = interface.join(token, key=key).json()["key_fingerprint"]
    _, listed, _ = node("list")
    assert "awaiting confirmation" in listed
    assert grouped(fingerprint) in listed
    assert node("confirm", "site-a-01", "sha256:" + "0" * 64)[0] == 1
    assert node("confirm", "site-a-01", grouped(fingerprint))[0] == 0
    assert interface.join(token, key=key).status_code == 200
    assert "certificate" in node("list", "--node", "site-a-01")[1]


def test_a_waiting_host_is_turned_away(interface: Interface, node: Node) -> None:
    token, key = _token(_new(node, "--confirm-key")), new_key()
    interface.join(token, key=key)
    assert node("refuse", "site-a-01")[0] == 0
    assert interface.join(token, key=key).status_code == 403
    status, _, said = node("refuse", "site-a-01")
    assert status == 1
    assert "awaiting confirmation" in said


def test_a_token_is_withdrawn(interface: Interface, node: Node) -> None:
    token = _token(_new(node, "--from", "127.0.0.0/8"))
    assert node("withdraw", "site-a-01")[0] == 0
    assert interface.join(token).status_code == 403


def test_a_node_is_thrown_out(interface: Interface, node: Node) -> None:
    host = interface.enrolled()
    status, printed, _ = node("revoke", "site-a-01", "--reason", "stolen")
    assert (status, printed) == (0, f"revoked {host.certificate.serial_number:x}\n")
    status, _, said = node("revoke", "site-a-01", "--reason", "stolen")
    assert status == 1
    assert "no such certificate" in said


def test_a_refusal_is_said_in_words(node: Node, interface: Interface) -> None:
    interface.enrolled()
    status, _, said = node("new", "site-a-01", "--site", "site-b", "--role", "site")
    assert status == 1
    assert "the name site-a-01 is not free" in said


def test_another_authoritys_controller_is_not_told_the_token(node: Node, tmp_path: Path) -> None:
    other = CertificateAuthority("theirs")
    (tmp_path / "roots.pem").write_bytes(certificates_pem((other.root,)))
    status, _, said = node("list")
    assert status == 1
    assert "certificate verify failed" in said
    assert OPERATOR_TOKEN not in said


def test_a_serial_that_nobody_knows_is_revoked_where_the_operator_says_so(
    interface: Interface, node: Node
) -> None:
    interface.enrolled("site-a-01")
    order = ("revoke", "site-a-01", "--serial", "abc123", "--reason", "stolen")
    status, _, said = node(*order)
    assert status == 1
    assert "no such certificate" in said
    assert node(*order, "--unknown")[:2] == (0, "revoked abc123\n")


def test_a_certificate_of_the_companys_own_is_revoked_by_its_file(
    interface: Interface, node: Node, tmp_path: Path
) -> None:
    file, _ = interface.ca.server_files(tmp_path)
    status, printed, _ = node(
        "revoke", "controller", "--certificate", str(file), "--reason", "its key was stolen"
    )
    serial = x509.load_pem_x509_certificates(file.read_bytes())[0].serial_number
    assert (status, printed) == (0, f"revoked {serial:x}\n")
    crl = x509.load_pem_x509_crl(interface.stranger.get("/api/v1/enrolment/crl").content)
    assert crl.get_revoked_certificate_by_serial_number(serial) is not None
    status, _, said = node("revoke", "controller", "--reason", "which one?")
    assert status == 1
    assert "by its serial" in said
    status, _, said = node(
        "revoke", "controller", "--certificate", str(tmp_path / "none"), "--reason", "x"
    )
    assert status == 1
    assert "none" in said
