"""No wait for a database server is without an end."""

from sqlalchemy import make_url

from controller.storage.engine import with_deadlines


def test_a_server_is_waited_for_only_so_long() -> None:
    url = with_deadlines(make_url("postgresql+psycopg://bes@db.example/bes"))
    assert int(str(url.query["connect_timeout"])) > 0
    assert int(str(url.query["tcp_user_timeout"])) > 0
    assert url.host == "db.example"


def test_what_the_address_says_itself_holds() -> None:
    given = "postgresql+psycopg://bes@db.example/bes?connect_timeout=3&sslmode=verify-full"
    url = with_deadlines(make_url(given))
    assert (url.query["connect_timeout"], url.query["sslmode"]) == ("3", "verify-full")
