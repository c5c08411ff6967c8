"""Replicas share what nodes send, under a name that is their database's secret."""

import re
from pathlib import Path

from controller.ingest.replicas import subscription_group
from controller.storage.engine import Storage
from shared.messages.topics import Channel, topic
from tests.brokers import CONTROLLER, running_broker
from tests.mqtt_client import node_client
from tests.replicas import PATIENCE_S, Replica, connected
from tests.waiting import wait_for

NODE = "site-a-01"
MESSAGES = 40


def test_replicas_on_one_database_share_what_comes(storage: Storage, database_url: str) -> None:
    other = Storage(database_url)
    names = {subscription_group(one) for one in (storage, other, storage)}
    other.close()
    (name,) = names
    assert re.fullmatch("[0-9a-f]{32}", name)


def test_replicas_of_one_group_hear_each_message_once(tmp_path: Path) -> None:
    sent = [f"shared {number}".encode() for number in range(MESSAGES)]
    with running_broker(tmp_path, (CONTROLLER, f"{CONTROLLER}-2")) as broker:
        replicas = [Replica(broker, "f" * 32), Replica(broker, "f" * 32, 2)]
        with connected(*replicas), node_client(broker, NODE) as node:
            for payload in sent:
                node.publish(topic(NODE, Channel.EVENT), payload)
            wait_for(
                lambda: sum(len(one.heard) for one in replicas) >= MESSAGES,
                "all of it",
                PATIENCE_S,
            )
            assert sorted(replicas[0].heard + replicas[1].heard) == sorted(sent)
            assert all(replica.heard for replica in replicas)
