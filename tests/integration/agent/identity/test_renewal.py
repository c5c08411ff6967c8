"""The running agent renews its certificate, over real HTTPS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.identity import renewal
from agent.identity.folder import Credentials, IdentityFolder
from agent.identity.join import join
from agent.identity.renewal import RenewalSettings, Renewer
from shared.identity.issuing import Issuer, make_root
from shared.identity.pem import read_certificates
from shared.identity.rotation import cross_certify
from shared.identity.trust import TrustBundle
from shared.messages.event import Event
from tests.enrolments import CertificateAuthority, Interface, new_key
from tests.integration.agent.identity.hosts import FreshHost

PATIENCE_S = 30.0


@dataclass(slots=True)
class Uplink:
    """A link that can be cut and made to wait."""

    connected: bool = True
    connections: int = 1
    reconnected: int = 0

    async def reconnect(self) -> None:
        """See `agent.identity.renewal.Link`."""
        self.reconnected += 1
        self.connections += 1


@dataclass(slots=True)
class Recorder:
    """Keeps what is told."""

    told: list[Event] = field(default_factory=list)

    async def event(self, event: Event, time_ms: int | None = None) -> int:
        """See `agent.identity.renewal.Teller`."""
        del time_ms
        self.told.append(event)
        return len(self.told)

    def saw(self, what: str) -> bool:
        """Whether an event of the agent tells this."""
        return any(event.data["what"] == what for event in self.told)


@dataclass(slots=True)
class Node:
    """A node that has joined, with the parts that renewal works with."""

    interface: Interface
    folder: IdentityFolder
    uplink: Uplink = field(default_factory=Uplink)
    recorder: Recorder = field(default_factory=Recorder)

    def current(self) -> Credentials:
        """What it uses now."""
        found = self.folder.current()
        assert found is not None
        return found

    @asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """With the task running."""
        settings = RenewalSettings(self.interface.url, self.folder.path)
        now = self.interface.clock.now
        renewer = Renewer(settings, self.recorder, self.uplink, now, spread=lambda: 0.0)
        task = asyncio.create_task(renewer.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def eventually(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


@pytest.fixture
async def node(interface: Interface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose certificate is fresh."""
    monkeypatch.setattr(renewal, "LONGEST_NAP_S", 0.05)
    monkeypatch.setattr(renewal, "nap_s", lambda _due, _now: 0.05)
    monkeypatch.setattr(renewal, "retry_after_s", lambda _failures, _spread: 0.05)
    monkeypatch.setattr(renewal, "_PROOF_NAP_S", 0.02)
    host = FreshHost(tmp_path / "host")
    plan = host.plan(interface, interface.new_token()["token"])
    await join(plan, host.around())
    return Node(interface, plan.identity)


async def test_it_is_left_alone_while_it_is_fresh(node: Node) -> None:
    before = node.current().leaf
    node.interface.clock.ahead = timedelta(days=4)
    async with node.renewing():
        await asyncio.sleep(0.5)
    assert node.current().leaf == before
    assert node.recorder.told == []


async def test_it_is_renewed_at_two_thirds_and_the_link_made_anew(node: Node) -> None:
    before = node.current()
    node.interface.clock.ahead = timedelta(days=5)
    async with node.renewing():
        await eventually(lambda: node.recorder.saw("certificate_renewed"))
        await eventually(lambda: node.uplink.reconnected == 1)
        await eventually(lambda: not node.folder.has_old())
    after = node.current()
    assert after.leaf.serial_number != before.leaf.serial_number
    assert after.key.private_numbers() != before.key.private_numbers()


async def test_the_old_files_stay_while_the_new_are_unproven(node: Node) -> None:
    node.uplink.connected = False
    node.interface.clock.ahead = timedelta(days=5)
    async with node.renewing():
        await eventually(lambda: node.recorder.saw("certificate_renewed"))
        await asyncio.sleep(0.3)
        assert node.folder.has_old()
        node.uplink.connected = True
        await eventually(lambda: not node.folder.has_old())
    assert node.uplink.reconnected == 1


async def test_after_a_long_loss_it_renews_an_expired_certificate(node: Node) -> None:
    node.interface.clock.ahead = timedelta(days=60)
    async with node.renewing():
        await eventually(lambda: node.recorder.saw("certificate_renewed"))
    assert node.current().leaf.not_valid_after_utc > node.interface.clock.now()
    assert node.interface.security_events("renewed_late") == 1


async def test_a_revoked_node_says_so_once_and_stays_as_it_is(node: Node) -> None:
    before = node.current().leaf
    body = {"node": "site-a-01", "reason": "stolen"}
    await asyncio.to_thread(node.interface.client.post, "/api/v1/enrolment/revocations", json=body)
    node.interface.clock.ahead = timedelta(days=5)
    async with node.renewing():
        await eventually(lambda: node.interface.security_events("renewal_refused") >= 3)
    assert node.current().leaf == before
    assert [event.data["what"] for event in node.recorder.told] == ["certificate_not_renewed"]
    assert "revoked" in node.recorder.told[0].data["text"]


async def test_a_renewal_cut_off_after_the_controllers_answer_is_finished(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.interface.clock.ahead = timedelta(days=5)
    install, failed = IdentityFolder.install, 0

    def failing_once(folder: IdentityFolder, credentials: Credentials) -> None:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise OSError("the disk is full")
        install(folder, credentials)

    monkeypatch.setattr(IdentityFolder, "install", failing_once)
    async with node.renewing():
        await eventually(lambda: node.recorder.saw("certificate_renewed"))
    assert failed == 2
    path = "/api/v1/enrolment/certificates"
    items = (await asyncio.to_thread(node.interface.client.get, path)).json()["items"]
    assert len(items) == 2


def _offer(node: Node, bundle: TrustBundle) -> None:
    node.interface.desk.authority.bundle = bundle


async def test_a_new_root_that_the_pinned_one_vouches_for_is_pinned(node: Node) -> None:
    ca, now = node.interface.ca, datetime.now(UTC)
    newer = make_root(new_key(), "newer root", now, x509.random_serial_number())
    old = Issuer(ca.root_key, ca.root)
    cross = cross_certify(old, newer, now, x509.random_serial_number())
    _offer(node, TrustBundle((ca.root, newer), (cross,)))
    node.interface.clock.ahead = timedelta(days=5)
    async with node.renewing():
        await eventually(lambda: node.recorder.saw("certificate_renewed"))
    assert node.folder.trust().holds(newer)
    assert newer in read_certificates(node.folder.roots_file.read_bytes())


async def test_a_new_root_that_nobody_vouches_for_is_not_pinned(node: Node) -> None:
    ca, theirs = node.interface.ca, CertificateAuthority("theirs")
    forged_by = Issuer(theirs.root_key, theirs.root)
    newer = make_root(new_key(), "newer root", datetime.now(UTC), x509.random_serial_number())
    cross = cross_certify(forged_by, newer, datetime.now(UTC), x509.random_serial_number())
    _offer(node, TrustBundle((ca.root, newer, theirs.root), (cross,)))
    node.interface.clock.ahead = timedelta(days=5)
    async with node.renewing():
        await eventually(lambda: node.recorder.saw("certificate_renewed"))
    assert [r.public_bytes(Encoding.DER) for r in node.folder.trust().roots] == [
        ca.root.public_bytes(Encoding.DER)
    ]
