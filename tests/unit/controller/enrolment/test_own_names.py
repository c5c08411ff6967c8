"""The name by which the broker knows the controller is no node's, whatever the operator chose."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from controller.app import create_services
from controller.config import BrokerConfig, ControllerConfig, DatabaseConfig
from controller.enrolment.authority import Authority
from controller.enrolment.config import EnrolmentConfig
from shared.errors import BadInputError
from shared.identity.issuing import issue_leaf
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem
from shared.identity.profiles import Purpose
from shared.identity.requests import LeafRequest
from tests.enrolments import CertificateAuthority, new_key

Opened = Callable[[], Authority]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """The authority of a controller whose files are all in the folder."""
    ca = CertificateAuthority("ours")
    request = LeafRequest("ctl-eu", new_key().public_key(), Purpose.CLIENT, ())
    serial = x509.random_serial_number()
    leaf = issue_leaf(ca.intermediate, request, datetime.now(UTC), serial)
    for name, content in {
        "issuer.pem": certificates_pem(ca.intermediate.chain),
        "issuer.key": key_pem(ca.intermediate.key),
        "roots.pem": certificates_pem((ca.root,)),
        "own.pem": certificates_pem((leaf, *ca.intermediate.chain)),
    }.items():
        (tmp_path / name).write_bytes(content)
    config = ControllerConfig(
        database=DatabaseConfig(url=f"sqlite:///{tmp_path / 'c.db'}"),
        broker=BrokerConfig(
            host="127.0.0.1",
            ca_file=tmp_path / "roots.pem",
            certificate_file=tmp_path / "own.pem",
            key_file=tmp_path / "own.key",
        ),
        enrolment=EnrolmentConfig(
            issuer_certificate_file=tmp_path / "issuer.pem",
            issuer_key_file=tmp_path / "issuer.key",
            root_files=(tmp_path / "roots.pem",),
            url="https://controller.example",
            broker_host="broker.example",
        ),
    )

    def open_authority() -> Authority:
        services = create_services(config)
        services.storage.close()
        assert services.enrolment is not None
        return services.enrolment.authority

    return open_authority


def test_the_name_in_the_controllers_own_certificate_is_reserved(opened: Opened) -> None:
    authority = opened()
    assert authority.is_reserved("ctl-eu")
    assert not authority.is_reserved("ctl-us")


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_an_own_certificate_that_cannot_be_read_is_told(
    opened: Opened, tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "own.pem").unlink()
    if content is not None:
        (tmp_path / "own.pem").write_bytes(content)
    with pytest.raises(BadInputError, match=r"broker\.certificate_file"):
        opened()
