"""Approving with a passkey in a real Chromium, whose authenticator is a virtual one (CDP)."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from controller.access.approvals.cli import main
from controller.access.approvals.config import ApprovalsConfig, CommandRule
from controller.access.permissions import COMPANY, Grant, Role
from controller.config import AccessConfig, CommandsConfig, ControllerConfig, DatabaseConfig
from controller.fleet.commands import Order
from controller.fleet.dangerous import Asking, ask_approval
from controller.storage import tables
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from shared.messages.actions import SetSetpoint
from shared.setpoints import Stop
from tests.accounts import PASSWORD, enter_account
from tests.browser.conftest import Served, Visit, visit
from tests.fleets import enter_fleet
from tests.unit.controller.access.approvals.terminals import FakeTerminal

PATIENCE_MS = 30_000
RS256 = "pubKeyCredParams is missing"
"""Chromium advises RS256, which approvals do not take."""
ORDER = "On node a-01 of site site-a: stop site"


@dataclass(slots=True)
class Deployment:
    """A controller whose page is at localhost, with Ada and Bert to approve, Cleo to confirm their
    keys, and Dora who asks."""

    served: Served
    browser: Browser
    rule: CommandRule
    users: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Passkeys need a name, not a number."""
        return f"http://localhost:{self.served.port}"

    def ask(self) -> str:
        """Dora wants the site stopped."""
        dora = self.users["dora"]
        order = Order("a-01", f"user:{dora}", SetSetpoint("site", Stop()), lifetime_ms=60_000)
        with self.served.storage.write() as conn:
            asking = Asking(dora, "dora")
            return ask_approval(conn, self.served.clock, order, ("site-a", self.rule), asking)

    def visit(self, name: str, width: int = 1280, **options: Any) -> Visit:
        """Somebody's browser on the page of approvals, with an authenticator of its own."""
        context = self.browser.new_context(viewport={"width": width, "height": 900})
        seen = visit(context, f"{self.address}/sign-in")
        session = context.new_cdp_session(seen.page)
        session.send("WebAuthn.enable")
        told = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": told | options})
        seen.page.fill("#name", name)
        seen.page.fill("#password", PASSWORD)
        seen.page.click("#password-step button")
        seen.page.wait_for_url(f"{self.address}/")
        seen.page.goto(f"{self.address}/approvals")
        return seen

    def state(self, request_id: str) -> str:
        """The state that is kept."""
        with self.served.storage.read() as conn:
            query = select(tables.approval_requests.c.state)
            query = query.where(tables.approval_requests.c.id == request_id)
            return str(conn.scalars(query).one())

    def commands(self) -> int:
        """How many commands were issued."""
        with self.served.storage.read() as conn:
            return len(conn.execute(select(tables.commands.c.id)).all())


@pytest.fixture
def deployment(tmp_path: Path, browser: Browser) -> Iterator[Deployment]:
    """On a fresh SQLite file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    storage = Storage(f"sqlite:///{tmp_path / 'controller.db'}")
    migrate(storage)
    key = Ed25519PrivateKey.generate()
    key_file = tmp_path / "commands.pem"
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    rule = CommandRule(
        name="stop", action="setpoint", setpoint="stop", people=("ada", "bert"), quorum=2
    )
    config = ControllerConfig(
        database=DatabaseConfig(url=f"sqlite:///{tmp_path / 'controller.db'}"),
        access=AccessConfig(second_factor="when_enrolled"),
        commands=CommandsConfig(signing_key_file=key_file),
        approvals=ApprovalsConfig(command=(rule,), origins=(f"http://localhost:{port}",)),
    )
    served = Served(config, storage, port=port)
    made = Deployment(served, browser, rule)
    enter_fleet(storage, served.clock.now_ms())
    for name, role in (
        ("ada", Role.OPERATOR),
        ("bert", Role.OPERATOR),
        ("cleo", Role.ADMINISTRATOR),
        ("dora", Role.OPERATOR),
    ):
        made.users[name] = enter_account(
            storage, served.clock, name, [Grant(role, COMPANY)], password=PASSWORD
        )
    served.start()
    yield made
    served.stop()
    storage.close()


def add_passkey(page: Page) -> str:
    """Registers a passkey on the page; its fingerprint."""
    page.fill("#passkey-add input[name=name]", "this browser")
    page.click("#passkey-add button")
    expect(page.locator("#own-keys")).to_contain_text("waits for", timeout=PATIENCE_MS)
    return page.locator("#own-keys .fingerprint").inner_text()


def confirm(page: Page, person: str, fingerprint: str) -> None:
    """Confirms a person's key on the page."""
    page.reload()
    line = page.locator("#unconfirmed li", has_text=person)
    line.locator("input").fill(fingerprint)
    line.get_by_role("button", name="Confirm").click()
    expect(page.locator("#unconfirmed li", has_text=person)).to_have_count(0, timeout=PATIENCE_MS)


def test_two_people_approve_with_their_passkeys_and_the_command_is_issued(
    deployment: Deployment,
) -> None:
    ada, bert, cleo = (deployment.visit(name) for name in ("ada", "bert", "cleo"))
    for name, seen in (("ada", ada), ("bert", bert)):
        confirm(cleo.page, name, add_passkey(seen.page))
    request_id = deployment.ask()
    for name, seen, state in (("ada", ada, "pending"), ("bert", bert, "used")):
        page = seen.page
        page.reload()
        card = page.locator(f"#request-{request_id}")
        expect(card.get_by_role("heading")).to_have_text(ORDER)
        for text in ("dora", "ada, bert", "a-01", "site-a", "60 s after the last approval"):
            expect(card).to_contain_text(text)
        assert deployment.commands() == 0
        card.get_by_role("button", name="Approve with a passkey").click()
        if state == "used":
            expect(card).to_have_count(0, timeout=PATIENCE_MS)
        else:
            expect(card).to_contain_text(f"1 of 2 approvals ({name})", timeout=PATIENCE_MS)
            expect(card.get_by_role("button", name="Approve")).to_have_count(0)
        assert deployment.state(request_id) == state
    assert deployment.commands() == 1
    for seen in (ada, bert, cleo):
        assert [text for text in seen.complaints if RS256 not in text] == []
        assert seen.hosts == {deployment.address.removeprefix("http://")}


def test_a_refusal_with_a_passkey_ends_the_request(deployment: Deployment) -> None:
    ada, cleo = deployment.visit("ada"), deployment.visit("cleo")
    confirm(cleo.page, "ada", add_passkey(ada.page))
    request_id = deployment.ask()
    ada.page.reload()
    card = ada.page.locator(f"#request-{request_id}")
    card.get_by_role("button", name="Refuse with a passkey").click()
    expect(card).to_have_count(0, timeout=PATIENCE_MS)
    assert (deployment.state(request_id), deployment.commands()) == ("refused", 0)


def test_an_authenticator_that_verifies_nobody_approves_nothing(deployment: Deployment) -> None:
    seen = deployment.visit("ada", hasUserVerification=False, isUserVerified=False)
    seen.page.fill("#passkey-add input[name=name]", "this browser")
    seen.page.click("#passkey-add button")
    expect(seen.page.locator("#notice")).to_be_visible(timeout=PATIENCE_MS)
    with deployment.served.storage.read() as conn:
        assert conn.execute(select(tables.approval_keys)).all() == []


def test_who_asks_sees_no_button_to_approve_and_may_withdraw(deployment: Deployment) -> None:
    request_id = deployment.ask()
    dora = deployment.visit("dora", width=390)
    card = dora.page.locator(f"#request-{request_id}")
    expect(card.get_by_role("heading")).to_have_text(ORDER)
    expect(card.get_by_role("button")).to_have_text(["Withdraw"])
    assert dora.page.evaluate("document.scrollingElement.scrollWidth") <= 390
    card.get_by_role("button", name="Withdraw").click()
    expect(card).to_have_count(0, timeout=PATIENCE_MS)
    assert deployment.state(request_id) == "withdrawn"
    assert dora.complaints == []


def test_what_was_signed_without_a_network_is_handed_in_on_the_page(
    deployment: Deployment, tmp_path: Path
) -> None:
    key, terminal = str(tmp_path / "bert.pem"), FakeTerminal()
    assert main(["keygen", "--person", "bert", "--key", key], terminal) == 0
    document = next(text for text in terminal.shown if text.startswith("{"))
    page = deployment.visit("bert").page
    page.fill("#key-add textarea", document)
    page.get_by_role("button", name="Register the key").click()
    expect(page.locator("#own-keys")).to_contain_text("waits for", timeout=PATIENCE_MS)
    fingerprint = terminal.shown[-1].removeprefix("Fingerprint: ")
    confirm(deployment.visit("cleo").page, "bert", fingerprint)

    request_id = deployment.ask()
    page.reload()
    card = page.locator(f"#request-{request_id}")
    with page.expect_download() as download:
        card.get_by_role("link", name="Save for a machine without a network").click()
    request, decision = str(download.value.path()), str(tmp_path / "decision.json")
    arguments = ["sign", "--request", request, "--key", key, "--out", decision]
    assert main(arguments, FakeTerminal()) == 0
    page.set_input_files("#hand-in input[type=file]", decision)
    page.get_by_role("button", name="Hand in").click()
    expect(card).to_contain_text("1 of 2 approvals (bert)", timeout=PATIENCE_MS)
    assert deployment.state(request_id) == "pending"


def test_a_role_that_needs_a_second_administrator_is_put_before_him(
    deployment: Deployment,
) -> None:
    storage, clock = deployment.served.storage, deployment.served.clock
    granted = [Grant(Role.ADMINISTRATOR, COMPANY)]
    enter_account(storage, clock, "frida", granted, password=PASSWORD)
    page = deployment.visit("cleo").page
    page.goto(f"{deployment.address}/users")
    form = page.locator("#users > li", has=page.get_by_text("dora", exact=True)).locator("form")
    form.locator("select").select_option("treasurer")
    form.get_by_role("button", name="Grant").click()
    expect(page.locator("#notice")).to_contain_text("waits for approval", timeout=PATIENCE_MS)
    page.goto(f"{deployment.address}/approvals")
    card = page.locator("#waiting > li")
    expect(card.get_by_role("heading")).to_have_text("Give dora the role treasurer on company")
    expect(card).to_contain_text("May approve: frida")
