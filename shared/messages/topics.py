"""Topics of the wire: `bes/1/{node}/{channel}`."""

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import BadInputError

PREFIX = "bes/1"
NODE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Channel(StrEnum):
    """The channels of a node; the first four go up, the last two down."""

    STATE = "state"
    BIRTH = "birth"
    TELEMETRY = "telemetry"
    EVENT = "event"
    ACK = "ack"
    COMMAND = "command"


UP = (Channel.STATE, Channel.BIRTH, Channel.TELEMETRY, Channel.EVENT)
DOWN = (Channel.ACK, Channel.COMMAND)


@dataclass(frozen=True, slots=True)
class Topic:
    """One channel of one node."""

    node: str
    channel: Channel

    def __str__(self) -> str:
        return f"{PREFIX}/{self.node}/{self.channel}"


def check_node_name(name: str) -> str:
    """The name, if it is a lower-case DNS label (RFC 1123 section 2.1) of at most 63 characters."""
    if NODE_NAME.fullmatch(name) is None:
        raise BadInputError("node", repr(name)[:80], "a lower-case DNS label, 1 to 63 characters")
    return name


def topic(node: str, channel: Channel) -> str:
    """The topic of a node's channel."""
    return str(Topic(check_node_name(node), channel))


def parse_topic(text: str) -> Topic:
    """Reads a topic; `BadInputError` when it is not one of the wire's."""
    parts = text.split("/")
    if len(parts) != 4 or f"{parts[0]}/{parts[1]}" != PREFIX:
        raise BadInputError("topic", repr(text)[:80], f"{PREFIX}/NODE/CHANNEL")
    try:
        channel = Channel(parts[3])
    except ValueError as error:
        allowed = ", ".join(Channel)
        raise BadInputError("topic.channel", repr(parts[3])[:80], allowed) from error
    return Topic(check_node_name(parts[2]), channel)
