"""The controller's threads against a real broker, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from controller.app import Background, Role, create_services
from controller.config import (
    BrokerConfig,
    CommandsConfig,
    ControllerConfig,
    DatabaseConfig,
    SiteConfig,
)
from controller.fleet.command_life import CommandState
from controller.fleet.commands import Order
from controller.fleet.presence import enter_sites
from controller.services import Services
from controller.storage.tables import commands, outbox, telemetry
from shared.host.tracing import Span, collecting, command_place
from shared.messages.ack import Ack, AckedRange
from shared.messages.actions import Reboot
from shared.messages.command import Command, verify
from shared.messages.event import Event, EventKind, Severity
from shared.messages.reply import Reply, ReplyState
from shared.messages.topics import Channel
from tests.brokers import CONTROLLER, HOST, Broker, running_broker
from tests.mqtt_client import NodeClient, node_client
from tests.nodes import FakeNode, event_row, power_row, reply_event
from tests.waiting import wait_for


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def config(database_url: str, broker: Broker, tmp_path: Path) -> ControllerConfig:
    key_file = tmp_path / "command-key.pem"
    key_file.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    credentials = broker.credentials(CONTROLLER)
    return ControllerConfig(
        database=DatabaseConfig(url=database_url),
        broker=BrokerConfig(
            host=HOST,
            port=broker.port,
            ca_file=broker.ca_file,
            certificate_file=credentials.certificate_file,
            key_file=credentials.key_file,
        ),
        commands=CommandsConfig(signing_key_file=key_file, resend_after_s=2.0),
        site=(SiteConfig(id="site-a", name="Site A", nodes=("site-a-01",)),),
    )


@contextmanager
def running(config: ControllerConfig) -> Iterator[Services]:
    services = create_services(config)
    with services.storage.write() as conn:
        enter_sites(conn, services.clock, config.site)
    background = Background(config, services, Role.ALL)
    background.start()
    try:
        wait_for(lambda: not services.not_ready(), "the controller to be ready")
        yield services
    finally:
        background.stop()
        services.storage.close()


def send(client: NodeClient, node: FakeNode, rows: range) -> None:
    message = node.batch([power_row(seq, 3_000.0) for seq in rows])
    client.publish(message.topic, message.payload)


def bear(client: NodeClient, node: FakeNode) -> None:
    client.publish(node.born().topic, node.born().payload, retain=True)


def issue_reboot(services: Services, node: FakeNode) -> str:
    assert services.desk is not None
    order = Order(node.name, "operator", Reboot("miner-01"), 600_000)
    with services.storage.write() as conn:
        command_id = services.desk.issue(conn, order)
    services.wake()
    return command_id


def state_of(services: Services, command_id: str) -> CommandState:
    with services.storage.read() as conn:
        return CommandState(
            conn.execute(select(commands.c.state).where(commands.c.id == command_id)).scalar_one()
        )


def opened(services: Services, payload: bytes) -> Command:
    assert services.desk is not None
    signer = services.desk.signer
    return verify(payload, {signer.key_id: signer.key.public_key()})


def test_telemetry_is_acked_over_the_wire_once_it_is_committed(
    config: ControllerConfig, broker: Broker
) -> None:
    node = FakeNode()
    with running(config) as services, node_client(broker, node.name) as client:
        send(client, node, range(1, 4))
        assert Ack.decode(client.next("ack")).births_wanted == (1,)
        bear(client, node)
        wait_for(lambda: born(services), "the birth")
        send(client, node, range(1, 4))
        ack = Ack.decode(client.next("ack"))
        assert ack.ranges == (AckedRange(node.telemetry_stream, 1, 3),)
        with services.storage.read() as conn:
            assert conn.scalar(select(func.count()).select_from(telemetry)) == 3
        wait_for(lambda: outbox_is_empty(services), "the ack to leave the outbox")


def born(services: Services) -> bool:
    with services.storage.read() as conn:
        return services.meanings.find(conn, FakeNode().telemetry_stream, 1) is not None


def outbox_is_empty(services: Services) -> bool:
    with services.storage.read() as conn:
        return conn.scalar(select(func.count()).select_from(outbox)) == 0


def test_a_command_is_signed_sent_and_answered(config: ControllerConfig, broker: Broker) -> None:
    node, ended = FakeNode(), list[Span]()
    with (
        collecting(ended.append),
        running(config) as services,
        node_client(broker, node.name) as client,
    ):
        bear(client, node)
        wait_for(lambda: born(services), "the birth")
        command_id = issue_reboot(services, node)
        command = opened(services, client.next("command"))
        assert (command.id, command.seq, command.node) == (command_id, 1, node.name)
        assert command.stream == node.event_stream
        for seq, step in enumerate((ReplyState.ACCEPTED, ReplyState.DONE), start=1):
            told = reply_event(Reply(command_id, 1, step, readback={"uptime_s": 3}))
            message = node.events([event_row(seq, told)])
            client.publish(message.topic, message.payload)
        wait_for(lambda: state_of(services, command_id) is CommandState.DONE, "done")
        wait_for(lambda: outbox_is_empty(services), "the outbox to be empty")
    given = command_place(command_id)
    steps = [one for one in ended if one.place.trace == given.trace]
    assert {one.name for one in steps} == {"give command", "publish command", "take reply"}
    assert {one.parent for one in steps if one.place != given} == {given}


def test_a_command_that_died_with_the_connection_is_sent_again_in_order(
    config: ControllerConfig, broker: Broker
) -> None:
    node = FakeNode()
    with running(config) as services:
        with node_client(broker, node.name) as client:
            bear(client, node)
            wait_for(lambda: born(services), "the birth")
        broker.kill()
        wait_for(lambda: "broker" in services.not_ready(), "the controller to notice")
        ids = [issue_reboot(services, node) for _ in range(3)]
        broker.start()
        with node_client(broker, node.name) as client:
            seen: list[str] = []
            while len(seen) < 3:
                command_id = opened(services, client.next("command")).id
                if command_id not in seen:
                    seen.append(command_id)
            assert seen == ids


def test_a_node_that_was_away_gets_its_open_commands_when_it_comes_back(
    config: ControllerConfig, broker: Broker
) -> None:
    node = FakeNode()
    with running(config) as services:
        with node_client(broker, node.name) as client:
            bear(client, node)
            wait_for(lambda: born(services), "the birth")
        first = issue_reboot(services, node)
        wait_for(lambda: state_of(services, first) is CommandState.SENT, "the command to be sent")
        with node_client(broker, node.name) as client:
            client.publish(node.state(online=True).topic, node.state(online=True).payload)
            assert opened(services, client.next("command")).id == first


def test_rows_sent_while_the_controller_was_down_are_committed_when_sent_again(
    config: ControllerConfig, broker: Broker
) -> None:
    node = FakeNode()
    with node_client(broker, node.name) as client:
        with running(config) as services:
            bear(client, node)
            wait_for(lambda: born(services), "the birth")
        send(client, node, range(1, 10))
        with running(config) as services:
            send(client, node, range(1, 20))
            ranges = Ack.decode(client.next("ack")).ranges
            assert ranges == (AckedRange(node.telemetry_stream, 1, 19),)
            with services.storage.read() as conn:
                assert conn.scalar(select(func.count()).select_from(telemetry)) == 19


def test_an_event_is_acked_and_shows_in_the_live_changes(
    config: ControllerConfig, broker: Broker
) -> None:
    node = FakeNode()
    with running(config) as services, node_client(broker, node.name) as client:
        told = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})
        message = node.events([event_row(1, told)])
        client.publish(message.topic, message.payload)
        ack = Ack.decode(client.next(Channel.ACK))
        assert ack.ranges == (AckedRange(node.event_stream, 1, 1),)
        assert "broker" not in services.not_ready()
