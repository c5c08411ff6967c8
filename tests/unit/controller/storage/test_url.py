"""The database's URL: on this host, or a server that proves itself."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from controller.config import load_config
from controller.storage.url import checked_url
from shared.configuration import ConfigError

VERIFIED = "sslmode=verify-full&sslrootcert=/etc/bes/db-root.pem"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/lib/bes/controller/controller.sqlite",
        "postgresql+psycopg://bes@127.0.0.1:5432/bes",
        "postgresql+psycopg://bes@localhost/bes",
        "postgresql+psycopg://bes@[::1]:5432/bes",
        "postgresql+psycopg://bes@/bes?host=/var/run/postgresql",
        "postgresql+psycopg://bes@/bes?host=127.0.0.1:5432&host=localhost:5433",
    ],
)
def test_a_database_of_this_host_is_taken_as_it_is(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://bes@db.example/bes",
        "postgresql+psycopg://bes@db.example/bes?sslmode=prefer",
        "postgresql+psycopg://bes@db.example/bes?sslmode=require",
        "postgresql+psycopg://bes@db.example/bes?sslmode=verify-ca",
        "postgresql+psycopg://bes@db.example/bes?sslmode=verify-full&sslmode=disable",
        f"postgresql+psycopg://bes@db.example/bes?{VERIFIED}&ssl_min_protocol_version=TLSv1.2",
        "postgresql+psycopg://bes@127.0.0.1/bes?host=db.example",
        "postgresql+psycopg://bes@/bes?host=127.0.0.1:5432&host=db.example:5432",
        "postgresql+psycopg://bes@localhost/bes?hostaddr=192.0.2.1",
        "postgresql+psycopg://bes@localhost/bes?service=main",
        "postgresql+psycopg://bes@/bes",
        "postgresql+psycopg:///bes",
        "mysql://db.example/bes",
        "no url",
    ],
)
def test_a_server_that_need_not_prove_itself_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        checked_url(url)


def test_a_server_that_has_to_is_asked_for_tls_1_3_as_well() -> None:
    url = make_url(checked_url(f"postgresql+psycopg://bes:geh%40eim@db.example/bes?{VERIFIED}"))
    assert url.query["ssl_min_protocol_version"] == "TLSv1.3"
    assert (url.password, url.query["sslmode"]) == ("geh@eim", "verify-full")


def test_the_configuration_names_the_key_and_not_the_password(tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    file.write_text('[database]\nurl = "postgresql+psycopg://bes:geheim@db.example/bes"\n')
    with pytest.raises(ConfigError) as refused:
        load_config(file, {})
    assert "database.url" in str(refused.value)
    assert "verify-full" in str(refused.value)
    assert "geheim" not in str(refused.value)
