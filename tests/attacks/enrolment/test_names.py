"""Names that are not a site's to give: the company's own programs', another site's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import update

from controller.access.callers import Caller, UserKind
from controller.access.permissions import Grant, Permission, Role, site_scope
from controller.api.guard import Needs, Permit
from controller.enrolment.authority import Authority, read_request
from controller.storage.tables import certificates, enrolment_tokens, nodes
from shared.errors import BadInputError
from shared.identity.requests import build_request
from tests.enrolments import Interface, ask_renewal, enrolment_app, new_key, served

OWN = ("controller", "controller-2", "broker", "http", "tap", "ops-reader")
TOKENS = "/api/v1/enrolment/tokens"


@contextmanager
def administered_from(interface: Interface, folder: Path, site: str) -> Iterator[None]:
    """The same interface, with an operator whose rights end with a site."""
    app = enrolment_app(interface.storage, interface.clock, interface.desk)
    for permission in Permission:
        app.dependency_overrides[Needs(permission)] = _of_site(site, permission)
    with (
        served(app, interface.ca.server_files(folder)) as url,
        interface.moved_to(url),
    ):
        yield


def _of_site(site: str, permission: Permission) -> Callable[[], Permit]:
    grant = Grant(Role.ADMINISTRATOR, site_scope(site))
    return lambda: Permit(Caller(2, "of the site", UserKind.PERSON, (grant,)), permission)


def ask(interface: Interface, node: str, site: str, role: str = "site") -> httpx2.Response:
    body: dict[str, Any] = {"node": node, "site": site, "role": role}
    return interface.client.post(TOKENS, json=body)


@pytest.fixture
def reserving(interface: Interface) -> Interface:
    """With a trusted client of the broker whose name the configuration says."""
    object.__setattr__(
        interface.desk,
        "authority",
        Authority(
            interface.ca.intermediate,
            (),
            interface.desk.authority.bundle,
            (timedelta(days=7), timedelta(days=7)),
            {"ops-reader"},
        ),
    )
    return interface


@pytest.mark.parametrize("name", OWN)
def test_a_name_of_the_companys_own_programs_is_given_to_no_node(
    reserving: Interface, name: str
) -> None:
    before = reserving.facts()
    response = ask(reserving, name, "site-a")
    assert response.status_code == 409
    assert "not free" in response.json()["detail"]
    assert reserving.facts() == before
    request = build_request(new_key(), name).public_bytes(Encoding.DER)
    with pytest.raises(BadInputError, match="own programs"):
        reserving.desk.authority.issue(read_request(request), reserving.clock.real_ms())


def test_a_token_for_such_a_name_from_before_lets_nobody_in(interface: Interface) -> None:
    token = interface.new_token("site-a-01")["token"]
    secret = token.partition(".")[2]
    with interface.storage.write() as conn:
        conn.execute(update(enrolment_tokens).values(node="controller"))
    before = interface.facts()
    response = interface.join(f"controller.{secret}", "controller")
    assert response.status_code == 403
    assert interface.facts() == before


def test_a_certificate_with_such_a_name_from_before_is_not_renewed(interface: Interface) -> None:
    host = interface.enrolled("site-a-01")
    interface.desk.authority._reserved = {"site-a-01"}
    response = ask_renewal(interface, host)
    assert response.status_code == 403
    assert "own programs" in response.json()["detail"]
    assert interface.security_events("renewal_refused") == 1


def test_an_administrator_of_one_site_neither_withdraws_nor_learns_of_anothers(
    interface: Interface, tmp_path: Path
) -> None:
    waiting = interface.new_token("b-01", site="site-b")["token"]
    interface.join(interface.new_token("b-02", site="site-b", role="signer")["token"], "b-02")
    told = []
    with administered_from(interface, tmp_path, "site-a"):
        for node in ("b-01", "b-02", "controller"):
            response = ask(interface, node, "site-a")
            assert response.status_code == 409
            told.append(response.json()["detail"].replace(node, "NODE"))
        assert ask(interface, "a-01", "site-a").status_code == 201
    assert len(set(told)) == 1
    assert "site-b" not in told[0]
    assert "signer" not in told[0]
    assert interface.join(waiting, "b-01").status_code == 200


def test_a_host_whose_name_another_site_got_first_is_not_told_whose(interface: Interface) -> None:
    token = interface.new_token("b-01", site="site-a")["token"]
    with interface.storage.write() as conn:
        conn.execute(
            update(enrolment_tokens).values(state="expired")  # so that another may ask
        )
    interface.join(interface.new_token("b-01", site="site-b")["token"], "b-01")
    with interface.storage.write() as conn:
        conn.execute(
            update(enrolment_tokens)
            .where(enrolment_tokens.c.site_id == "site-a")
            .values(state="issued")
        )
    response = interface.join(token, "b-01")
    assert response.status_code == 409
    assert "site-b" not in response.text


def test_certificates_of_the_companys_own_programs_are_revoked_by_the_companys_people_alone(
    interface: Interface, tmp_path: Path
) -> None:
    body = {"node": "controller", "serial": "abc123", "reason": "its key was stolen"}
    interface.enrolled("a-01")
    with administered_from(interface, tmp_path, "site-a"):
        refused = interface.client.post("/api/v1/enrolment/revocations", json=body)
        theirs = {**body, "node": "a-01", "unknown": True}
        other = interface.client.post("/api/v1/enrolment/revocations", json=theirs)
    assert refused.status_code == 404
    assert other.status_code == 409
    with interface.storage.read() as conn:
        assert conn.execute(certificates.select()).one().state == "active"
        assert conn.execute(nodes.select()).one().name == "a-01"
