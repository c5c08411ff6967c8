"""The `[audit]` section, and the files that it names."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from controller.app import create_services
from controller.audit.config import AuditConfig
from controller.audit.workers import audit_workers, signing
from controller.config import ControllerConfig, DatabaseConfig
from shared.errors import BadInputError
from tests.timestamp_authority import make_authority


def names(config: AuditConfig, tmp_path: Path) -> list[str]:
    database = DatabaseConfig(url=f"sqlite:///{tmp_path / 'c.db'}")
    services = create_services(ControllerConfig(database=database))
    return [worker.name for worker in audit_workers(services, config)]


def test_without_a_section_the_log_is_integrated_unsigned(tmp_path: Path) -> None:
    assert signing(AuditConfig()).signer is None
    assert names(AuditConfig(), tmp_path) == ["audit-integrator"]


def test_an_authority_gets_a_worker_of_its_own(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "authority")
    config = AuditConfig(
        timestamp_url="http://127.0.0.1:1/", timestamp_roots_file=authority.roots_file
    )
    assert names(config, tmp_path) == ["audit-integrator", "audit-timestamps"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"origin": "with space"}, "origin"),
        ({"origin": ""}, "origin"),
        ({"every_s": 0}, "every_s"),
        ({"timestamp_url": "ftp://x/", "timestamp_roots_file": "x"}, "timestamp_url"),
        ({"timestamp_url": "http://user@x/", "timestamp_roots_file": "x"}, "timestamp_url"),
        ({"timestamp_url": "http://x/"}, "go together"),
        ({"timestamp_roots_file": "x"}, "go together"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_section_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        AuditConfig.model_validate(wrong)


def test_a_key_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    for content in (None, b"nonsense", _ec_key()):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(BadInputError, match=r"audit\.signing_key_file"):
            signing(AuditConfig(signing_key_file=file))


def test_roots_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    config = AuditConfig(timestamp_url="http://x/", timestamp_roots_file=file)
    for content in (None, b"nonsense"):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(BadInputError, match=r"audit\.timestamp_roots_file"):
            names(config, tmp_path)


def _ec_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
