"""Attacks with what was approved for other circumstances than those of today."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, update

from controller.config import IngestConfig, RetentionConfig, SiteConfig
from controller.errors import ConflictError
from controller.fleet.commands import CommandDesk, CommandSigner
from controller.fleet.dangerous import command_act
from controller.fleet.presence import enter_sites
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.retention.job import enter_defaults
from controller.storage import tables
from shared.approvals.intents import IntentKind
from shared.approvals.life import ApprovalState
from tests.approvers import COMMAND
from tests.nodes import FakeNode, StillClock
from tests.offices import Office


def test_an_order_approved_for_a_node_that_moved_to_another_site_since_is_refused(
    office: Office, clock: StillClock
) -> None:
    node = FakeNode(name=COMMAND.node)
    elsewhere = SiteConfig(id="site-b", name="Site B", nodes=())
    with office.storage.write() as conn:
        enter_sites(
            conn, clock, [SiteConfig(id="site-a", name="Site A", nodes=(node.name,)), elsewhere]
        )
        enter_defaults(conn, clock, RetentionConfig())
    Ingest(office.storage, clock, IngestConfig(), ControllerMetrics()).take([node.born()])
    desk = CommandDesk(clock, CommandSigner(Ed25519PrivateKey.generate(), bytes(8)))
    office.desk = replace(office.desk, acts={IntentKind.COMMAND: command_act(desk)})
    case = office.ask(COMMAND)
    office.say(case, "alice")
    before = (office.state(case), office.answers(case), office.leaves())
    _move(office, node.name, "site-b")
    with pytest.raises(ConflictError, match="not on site site-a any more"):
        office.say(case, "bob")
    assert (office.state(case), office.answers(case), office.leaves()) == before
    assert _commands(office) == 0
    _move(office, node.name, "site-a")
    assert office.say(case, "bob") is ApprovalState.USED
    assert _commands(office) == 1


def _move(office: Office, node: str, site: str) -> None:
    with office.storage.write() as conn:
        named = tables.nodes.c.name == node
        conn.execute(update(tables.nodes).where(named).values(site_id=site))


def _commands(office: Office) -> int:
    with office.storage.read() as conn:
        return conn.scalar(select(func.count()).select_from(tables.commands)) or 0
