"""`bes tap`: shows what passes over the wire as JSON, one message a line.

It needs a certificate of its own that the broker lets read; with a node's certificate it would take
that node's session, because the broker makes the certificate's name the client id.
"""

import argparse
import json
import secrets
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from shared.errors import BadInputError
from shared.host.tls import client_context
from shared.messages.birth import Birth
from shared.messages.render import render
from shared.messages.topics import PREFIX, Channel, check_node_name, parse_topic

_MOST_BIRTHS = 1_000
_ANSWER_WITHIN_S = 20.0


class Tap:
    """Turns messages into lines; remembers births, so that aliases can be resolved."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` gets one line of JSON without its line end."""
        self._write = write
        self._births: OrderedDict[tuple[str, int], Birth] = OrderedDict()

    def show(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Writes one message; what is not of the wire is shown as `malformed`."""
        try:
            shown = render(topic, payload, self._births)
            self._remember(topic, payload)
        except BadInputError as error:
            shown = {"topic": topic[:200], "bytes": len(payload), "malformed": str(error)}
        if retained:
            shown["retained"] = True
        self._write(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))

    def _remember(self, topic: str, payload: bytes) -> None:
        if parse_topic(topic).channel is not Channel.BIRTH or not payload:
            return
        birth = Birth.decode(payload)
        self._births[birth.node, birth.number] = birth
        while len(self._births) > _MOST_BIRTHS:
            self._births.popitem(last=False)


class Session:
    """The subscription to a broker; `ended` is set when it is over, `problem` says why."""

    def __init__(self, arguments: argparse.Namespace, tap: Tap) -> None:
        """Raises `OSError` or `ssl.SSLError` (an `OSError`) when a file cannot be used."""
        self.ended = threading.Event()
        self.problem = ""
        self._connected = False
        self._tap = tap
        self._topic = f"{PREFIX}/{arguments.node or '+'}/+"
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"tap-{secrets.token_hex(6)}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        context = client_context(arguments.ca)
        context.load_cert_chain(arguments.certificate, arguments.key)
        self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def run(self, host: str, port: int) -> None:
        """Connects and shows messages until `ended`; raises `OSError` when it cannot connect."""
        self._client.connect(host, port, keepalive=60, clean_start=True)
        self._client.loop_start()
        if not self.ended.wait(_ANSWER_WITHIN_S) and not self._connected:
            self._end("no answer from the broker")
        self.ended.wait()
        self._client.disconnect()
        self._client.loop_stop()

    def _end(self, problem: str) -> None:
        if not self.ended.is_set():
            self.problem = problem
            self.ended.set()

    def _on_connect(
        self,
        client: Client,
        _data: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._end(f"the broker refused the connection: {reason}")
            return
        self._connected = True
        client.subscribe(self._topic, options=SubscribeOptions(qos=1))

    def _on_subscribe(
        self,
        _client: Client,
        _data: Any,
        _message_id: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._end(f"the broker does not let this certificate read {self._topic}")

    def _on_disconnect(
        self,
        _client: Client,
        _data: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._connected:
            self._end("the broker hung up before it answered; is the certificate one it trusts?")
        elif reason.is_failure and reason.getName() == "Session taken over":
            self._end("another client uses the same certificate")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            self._tap.show(message.topic, bytes(message.payload), retained=message.retain)
        except BrokenPipeError:
            self._end("nobody reads the output any more")


def main(argv: Sequence[str]) -> int:
    """Runs until interrupted; 1 when the broker cannot be used, 2 for wrong arguments."""
    arguments = _parser().parse_args(argv)
    tap = Tap(_print_line)
    try:
        if arguments.node is not None:
            check_node_name(arguments.node)
        session = Session(arguments, tap)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: session.ended.set())
        session.run(arguments.host, arguments.port)
    except (OSError, BadInputError) as error:
        sys.stderr.write(f"bes tap: {error}\n")
        return 1
    if session.problem:
        sys.stderr.write(f"bes tap: {session.problem}\n")
        return 1
    return 0


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bes tap", description="Shows the messages on the wire as JSON, one a line."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the broker's name or address")
    parser.add_argument("--port", type=int, default=8883)
    parser.add_argument("--ca", type=Path, required=True, help="certificate of the authority (PEM)")
    parser.add_argument(
        "--certificate",
        type=Path,
        required=True,
        help="a certificate of this command's own (PEM); a node's would end that node's session",
    )
    parser.add_argument("--key", type=Path, required=True, help="the certificate's key (PEM file)")
    parser.add_argument("--node", help="only this node (default: all)")
    return parser
