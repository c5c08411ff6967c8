"""A certificate revoked while its holder is connected."""

from sqlalchemy import select

from controller.broker import Broker as ControllerBroker
from controller.config import BrokerConfig
from controller.detection.cut_off import AGAIN_AFTER_MS, CutOffs, DynamicSecurity, request_cut_off
from controller.detection.kinds import SecurityKind
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, cut_offs
from tests.attacks.broker.conftest import PATIENCE_S, Watched, connect
from tests.brokers import CONTROLLER, HOST, Broker
from tests.nodes import StillClock
from tests.waiting import wait_for

NODE = "site-c-01"


def controllers_broker(broker: Broker) -> ControllerBroker:
    """The controller's own connection."""
    credentials = broker.credentials(CONTROLLER)
    config = BrokerConfig(
        host=HOST,
        port=broker.port,
        ca_file=broker.ca_file,
        certificate_file=credentials.certificate_file,
        key_file=credentials.key_file,
    )
    return ControllerBroker(config, ControllerMetrics(), lambda _message: None, lambda: None)


def test_a_revoked_nodes_live_connection_is_cut_and_it_does_not_come_back(
    watched: Watched,
) -> None:
    clock = StillClock()
    own = controllers_broker(watched.broker)
    cuts = CutOffs(watched.storage, clock, DynamicSecurity(own))
    own.start()
    wait_for(lambda: own.connected, "the controller's connection")
    holder = connect(watched.broker, watched.broker.credentials(NODE), NODE)
    bystander = connect(watched.broker, watched.broker.credentials("site-d-01"), "site-d-01")
    assert holder.connected.wait(PATIENCE_S)
    assert bystander.connected.wait(PATIENCE_S)

    watched.broker.revoke(NODE)
    with watched.storage.write() as conn:
        request_cut_off(conn, NODE, clock.real_ms())
    cuts.round()

    assert holder.ended.wait(PATIENCE_S)
    again = connect(watched.broker, watched.broker.credentials(NODE), NODE)
    assert again.ended.wait(PATIENCE_S)
    assert not again.connected.is_set()
    assert watched.recorded(SecurityKind.CERTIFICATE_REFUSED)
    assert not bystander.ended.is_set()
    _cut_again_until_done(watched.storage, clock, cuts)
    own.stop()
    for client in (holder, again, bystander):
        client.close()


def _cut_again_until_done(storage: Storage, clock: StillClock, cuts: CutOffs) -> None:
    with storage.read() as conn:
        kinds = list(conn.scalars(select(audit_leaves.c.kind)))
    assert kinds.count("node.cut_off") == 1
    for _ in AGAIN_AFTER_MS[1:]:
        clock.real_time_ms += max(AGAIN_AFTER_MS)
        cuts.round()
    with storage.read() as conn:
        row = conn.execute(select(cut_offs)).one()
    assert (row.done, row.due_real_ms, row.problem) == (len(AGAIN_AFTER_MS), None, None)


def test_a_cut_that_nobody_confirms_is_tried_again(watched: Watched) -> None:
    clock = StillClock()
    cuts = CutOffs(watched.storage, clock, DynamicSecurity(controllers_broker(watched.broker)))
    with watched.storage.write() as conn:
        request_cut_off(conn, NODE, clock.real_ms())
    cuts.round()  # never connected
    with watched.storage.read() as conn:
        row = conn.execute(select(cut_offs)).one()
    assert (row.done, row.problem) == (0, "the broker did not take the order")
    assert row.due_real_ms > clock.real_ms()
