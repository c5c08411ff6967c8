"""The subscriber's side of ZMTP 3.0 (rfc.zeromq.org/spec/23), NULL mechanism. Pure, no I/O.

As much as reading Bitcoin Core's publisher needs: greeting, READY, subscriptions, messages. Written
here because pyzmq would bring a C library for a hint that may be lost anyway.
"""

from collections.abc import Sequence

_GREETING_BYTES = 64
_SIGNATURE_START, _SIGNATURE_END = 0xFF, 0x7F
_MAJOR = 3
_MECHANISM = b"NULL".ljust(20, b"\x00")
_MORE, _LONG, _COMMAND = 0x01, 0x02, 0x04
_READY = b"\x05READY"
_MAX_FRAME_BYTES = 1 << 20
_MAX_FRAMES = 16


class ZmtpError(Exception):
    """The peer speaks something else, or more than a subscriber reads."""


def greeting() -> bytes:
    """What either side sends first: 64 bytes."""
    signature = bytes((_SIGNATURE_START, *bytes(8), _SIGNATURE_END))
    return (signature + bytes((_MAJOR, 0)) + _MECHANISM).ljust(_GREETING_BYTES, b"\x00")


def frame(content: bytes, flags: int = 0) -> bytes:
    """One frame."""
    if len(content) > 0xFF:
        return bytes((flags | _LONG,)) + len(content).to_bytes(8, "big") + content
    return bytes((flags, len(content))) + content


def ready(socket_type: bytes) -> bytes:
    """The command that ends the handshake, with the socket's type and nothing else."""
    name = b"Socket-Type"
    metadata = bytes((len(name),)) + name + len(socket_type).to_bytes(4, "big") + socket_type
    return frame(_READY + metadata, _COMMAND)


class Subscriber:
    """Turns what came from a publisher into messages, and says what to send for it."""

    def __init__(self, topics: Sequence[bytes]) -> None:
        self._topics = topics
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._is_greeted = False
        self._is_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether the handshake is over, so that messages can come."""
        return self._is_ready

    def first(self) -> bytes:
        """To be sent at once."""
        return greeting()

    def receive(self, data: bytes) -> tuple[bytes, list[tuple[bytes, ...]]]:
        """What to send now, and the messages that are complete. `ZmtpError` ends the connection."""
        self._buffer += data
        answer, messages = b"", list[tuple[bytes, ...]]()
        if not self._is_greeted:
            if not self._read_greeting():
                return answer, messages
            answer = ready(b"SUB")
        while (one := self._read_frame()) is not None:
            flags, content = one
            if flags & _COMMAND:
                answer += self._on_command(content)
                continue
            self._parts.append(content)
            if len(self._parts) > _MAX_FRAMES:
                raise ZmtpError(f"a message of more than {_MAX_FRAMES} frames")
            if not flags & _MORE:
                messages.append(tuple(self._parts))
                self._parts.clear()
        return answer, messages

    def _read_greeting(self) -> bool:
        start = self._buffer[:1]
        if start and start[0] != _SIGNATURE_START:
            raise ZmtpError("the peer does not speak ZMTP")
        if len(self._buffer) < _GREETING_BYTES:
            return False
        if self._buffer[9] != _SIGNATURE_END or self._buffer[10] < _MAJOR:
            raise ZmtpError("the peer does not speak ZMTP 3")
        if self._buffer[12:32] != _MECHANISM:
            raise ZmtpError("the peer asks for a security mechanism")
        del self._buffer[:_GREETING_BYTES]
        self._is_greeted = True
        return True

    def _read_frame(self) -> tuple[int, bytes] | None:
        if len(self._buffer) < 2:
            return None
        flags = self._buffer[0]
        width = 8 if flags & _LONG else 1
        if len(self._buffer) < 1 + width:
            return None
        length = int.from_bytes(self._buffer[1 : 1 + width], "big")
        if length > _MAX_FRAME_BYTES:
            raise ZmtpError(f"a frame of {length} bytes")
        end = 1 + width + length
        if len(self._buffer) < end:
            return None
        content = bytes(self._buffer[1 + width : end])
        del self._buffer[:end]
        return flags, content

    def _on_command(self, content: bytes) -> bytes:
        """READY ends the handshake; a later version's PING is answered, the rest is not for us."""
        if content.startswith(_READY):
            self._is_ready = True
            return b"".join(frame(b"\x01" + topic) for topic in self._topics)
        if content.startswith(b"\x04PING"):
            return frame(b"\x04PONG" + content[7:], _COMMAND)
        if content.startswith(b"\x05ERROR"):
            raise ZmtpError("the peer refuses the connection")
        return b""
