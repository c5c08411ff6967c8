"""A node that joins the controller's shared subscriptions, to be handed what others send."""

from contextlib import ExitStack

from controller.broker import subscriptions
from shared.messages.topics import Channel, topic
from tests.attacks.broker.conftest import ATTACKER, PATIENCE_S, VICTIM, connect
from tests.brokers import CONTROLLER, Broker
from tests.mqtt_client import NodeClient
from tests.replicas import Replica, connected
from tests.waiting import wait_for

MESSAGES = 40
GUESSES = ("controller", "bes", "ingest", CONTROLLER + "s")


def joined(broker: Broker, stack: ExitStack, node: str, groups: tuple[str, ...]) -> None:
    """A node with a good certificate that subscribes under these groups' names."""
    client = connect(broker, broker.credentials(node), node)
    stack.callback(client.close)
    assert client.connected.wait(PATIENCE_S)
    for group in groups:
        client.subscribe(*subscriptions(group)[2:])


def left_behind(broker: Broker, node: str, groups: tuple[str, ...]) -> None:
    """As `joined`, but gone, with a session that the broker keeps."""
    client = connect(broker, broker.credentials(node), node, session_s=3_600)
    assert client.connected.wait(PATIENCE_S)
    for group in groups:
        client.subscribe(*subscriptions(group)[2:])
    client.close()


def test_members_that_guess_the_controllers_group_take_nothing_from_it(
    broker: Broker, victim: NodeClient
) -> None:
    replica = Replica(broker, None)
    sent = [f"event {number}".encode() for number in range(MESSAGES)]
    with ExitStack() as stack, connected(replica):
        joined(broker, stack, ATTACKER, GUESSES)
        left_behind(broker, "site-e-01", GUESSES)
        for payload in sent:
            victim.publish(topic(VICTIM, Channel.EVENT), payload)
        wait_for(lambda: len(replica.heard) >= MESSAGES, "all that was sent", PATIENCE_S)
        assert sorted(replica.heard) == sorted(sent)
