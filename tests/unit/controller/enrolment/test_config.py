"""The sections that enrolment and HTTPS need."""

from pathlib import Path

import pytest

from controller.config import load_config
from shared.errors import BadInputError

BASE = '[database]\nurl = "sqlite:///controller.db"\n'
GOOD = (
    BASE
    + """
[http]
host = "0.0.0.0"
certificate_file = "http.pem"
key_file = "http.key"
[enrolment]
issuer_certificate_file = "ca/current/chain.pem"
issuer_key_file = "ca/current/key.pem"
root_files = ["ca/roots.pem"]
crl_file = "crl.pem"
url = "https://controller.example:8443"
broker_host = "broker.example"
"""
)


def written(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "controller.toml"
    path.write_text(text)
    return path


def test_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD), {})
    assert config.enrolment is not None
    assert config.enrolment.issuer_key_file == tmp_path / "ca/current/key.pem"
    assert config.enrolment.root_files == (tmp_path / "ca/roots.pem",)
    assert config.http.certificate_file == tmp_path / "http.pem"
    assert config.enrolment.leaf_days == 7


def test_loopback_may_do_without_tls(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        config = load_config(written(tmp_path, f'{BASE}[http]\nhost = "{host}"'), {})
        assert config.http.certificate_file is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BASE + '[http]\nhost = "0.0.0.0"', "without TLS"),
        (BASE + '[http]\nhost = "bes.example"', "without TLS"),
        (BASE + '[http]\ncertificate_file = "http.pem"', "go together"),
        (GOOD.replace("https://controller", "http://controller"), "enrolment.url"),
        (GOOD.replace('["ca/roots.pem"]', "[]"), "enrolment.root_files"),
        (GOOD + "leaf_days = 7.5", "enrolment.leaf_days"),
    ],
)
def test_what_would_be_unsafe_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInputError) as refused:
        load_config(written(tmp_path, text), {})
    assert says in str(refused.value)
