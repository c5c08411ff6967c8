"""`bes tap` against a real broker."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from shared.messages.state import State
from tests.brokers import Broker, running_broker

NODE = "site-a-01"
PROGRAM = "import sys; from provisioning.tap import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("tap"), ("controller", "tap")) as running:
        publish_state(running)
        yield running


def publish_state(broker: Broker) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(broker.client_context(NODE))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    state = State(True, "b00t", 1_715_170_000_123, None)
    client.publish(f"bes/1/{NODE}/state", state.encode(), qos=1, retain=True).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def arguments(broker: Broker, name: str = "tap") -> list[str]:
    credentials = broker.credentials(name)
    files = ["--ca", broker.ca_file, "--certificate", credentials.certificate_file]
    return [str(a) for a in (*files, "--key", credentials.key_file, "--port", broker.port)]


def test_a_retained_state_is_shown_until_the_tap_is_interrupted(broker: Broker) -> None:
    command = [sys.executable, "-c", PROGRAM, *arguments(broker), "--node", NODE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert (shown["node"], shown["channel"], shown["retained"]) == (NODE, "state", True)
    assert shown["online"] is True
    assert shown["time"] == "2024-05-08T12:06:40.123+00:00"


def test_a_certificate_of_another_authority_is_refused(broker: Broker, tmp_path: Path) -> None:
    stranger = Broker(tmp_path).credentials("tap")
    files = ["--ca", broker.ca_file, "--certificate", stranger.certificate_file]
    command = [sys.executable, "-c", PROGRAM, *map(str, files), "--key", str(stranger.key_file)]
    result = subprocess.run(
        [*command, "--port", str(broker.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("bes tap: ")
