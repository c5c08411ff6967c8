"""Somebody between a fresh host and its controller, and somebody who answers in its place."""

import asyncio
import dataclasses
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from agent.identity.errors import EnrolmentError, ForeignControllerError, UnreachableError
from agent.identity.join import JoinPlan, join
from controller.storage.engine import Storage
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem
from tests.enrolments import CertificateAuthority, Interface, running_interface, served
from tests.integration.agent.identity.hosts import FreshHost


@pytest.fixture
def interface(sqlite_template: Path, tmp_path: Path) -> Iterator[Interface]:
    """The true controller."""
    file = tmp_path / "controller.db"
    shutil.copyfile(sqlite_template, file)
    storage = Storage(f"sqlite:///{file}")
    with running_interface(storage, tmp_path) as running:
        yield running
    storage.close()


def stranger(heard: list[bytes], trust: str) -> FastAPI:
    """Answers in the controller's place, and keeps what it is sent."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def answer(path: str, request: Request) -> JSONResponse:
        heard.append(await request.body())
        return JSONResponse({"authorities": trust} if path.endswith("trust") else {})

    return app


def nothing_happened(interface: Interface, plan: JoinPlan, heard: list[bytes]) -> None:
    """The token was told to nobody, is good still, and the host has no identity."""
    secret = plan.token.text.partition(".")[2].encode()
    assert not any(secret in body for body in heard)
    items = interface.client.get("/api/v1/enrolment/tokens").json()["items"]
    assert [item["state"] for item in items] == ["issued"]
    assert plan.identity.current() is None
    assert not plan.config_file.exists()


@pytest.mark.parametrize("relays_the_true_authorities", [False, True])
async def test_a_man_in_the_middle_with_another_authority_is_refused_the_token(
    interface: Interface, tmp_path: Path, relays_the_true_authorities: bool
) -> None:
    theirs = CertificateAuthority("theirs")
    bundle = interface.desk.authority.bundle_pem
    trust = bundle if relays_the_true_authorities else theirs.authority().bundle_pem
    heard: list[bytes] = []
    host = FreshHost(tmp_path / "host")
    plan = host.plan(interface, interface.new_token()["token"])
    with (
        served(stranger(heard, trust), theirs.server_files(tmp_path)) as url,
        pytest.raises(ForeignControllerError),
    ):
        await join(dataclasses.replace(plan, url=url), host.around())
    await asyncio.to_thread(nothing_happened, interface, plan, heard)


async def test_a_server_with_a_nodes_certificate_is_refused_the_token(
    interface: Interface, tmp_path: Path
) -> None:
    """A node of the same company may not pose as the controller."""
    node = await asyncio.to_thread(interface.enrolled, "site-b-01")
    chain, key = tmp_path / "node.pem", tmp_path / "node.key"
    chain.write_bytes(certificates_pem((node.certificate, *interface.ca.intermediate.chain)))
    key.write_bytes(key_pem(node.key))
    heard: list[bytes] = []
    host = FreshHost(tmp_path / "host")
    plan = host.plan(interface, (await asyncio.to_thread(interface.new_token))["token"])
    app = stranger(heard, interface.desk.authority.bundle_pem)
    with served(app, (chain, key)) as url, pytest.raises(ForeignControllerError):
        await join(dataclasses.replace(plan, url=url), host.around())
    secret = plan.token.text.partition(".")[2].encode()
    assert not any(secret in body for body in heard)
    assert plan.identity.current() is None


async def test_an_answer_without_end_is_refused(interface: Interface, tmp_path: Path) -> None:
    theirs = CertificateAuthority("theirs")
    heard: list[bytes] = []
    host = FreshHost(tmp_path / "host")
    plan = host.plan(interface, interface.new_token()["token"])
    app = stranger(heard, "x" * 2_000_000)
    with (
        served(app, theirs.server_files(tmp_path)) as url,
        pytest.raises(UnreachableError, match="more than"),
    ):
        await join(dataclasses.replace(plan, url=url), host.around())
    await asyncio.to_thread(nothing_happened, interface, plan, heard)


async def test_a_certificate_of_another_authority_in_the_answer_is_refused(
    interface: Interface, tmp_path: Path
) -> None:
    """A controller that is taken over cannot give a host an identity that its root did not sign."""
    theirs = CertificateAuthority("theirs")
    host = FreshHost(tmp_path / "host")
    plan = host.plan(interface, interface.new_token()["token"])
    authority = interface.desk.authority
    authority.issue = theirs.authority().issue  # type: ignore[method-assign] # the attack
    with pytest.raises(EnrolmentError, match="to a root pinned here"):
        await join(plan, host.around())
    assert plan.identity.current() is None
    assert not plan.config_file.exists()


def test_tls_1_2_is_refused(interface: Interface) -> None:
    context = interface.ca.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    path = "/api/v1/enrolment/trust"
    with (
        httpx2.Client(base_url=interface.url, verify=context) as old,
        pytest.raises(httpx2.ConnectError),
    ):
        old.get(path)
    assert interface.stranger.get(path).status_code == 200


def test_plain_http_is_refused(interface: Interface) -> None:
    plain = interface.url.replace("https://", "http://")
    with httpx2.Client(base_url=plain) as client, pytest.raises(httpx2.HTTPError):
        client.get("/api/v1/enrolment/trust")
