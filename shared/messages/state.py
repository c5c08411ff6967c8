"""`state`: whether a node is there, and how far to trust its clock. Retained; also the will."""

from dataclasses import dataclass

from shared.messages import cbor


@dataclass(frozen=True, slots=True)
class State:
    """A node's presence. `clock_error_ms` is the bound on its clock's error, None if unknown."""

    online: bool
    boot_id: str
    time_ms: int
    clock_synchronised: bool | None
    clock_error_ms: int | None = None

    def encode(self) -> bytes:
        """The payload."""
        return cbor.encode(
            {
                "boot_id": self.boot_id,
                "clock_error_ms": self.clock_error_ms,
                "clock_synchronised": self.clock_synchronised,
                "online": self.online,
                "time_ms": self.time_ms,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> "State":
        """Reads a payload; `BadInputError` when it is not a state."""
        fields = cbor.expect_map(cbor.decode(payload), "state")
        synchronised = cbor.take(fields, "clock_synchronised")
        error_ms = cbor.take(fields, "clock_error_ms")
        return cls(
            online=cbor.expect_bool(cbor.take(fields, "online"), "online"),
            boot_id=cbor.expect_text(cbor.take(fields, "boot_id"), "boot_id", 64),
            time_ms=cbor.expect_int(cbor.take(fields, "time_ms"), "time_ms"),
            clock_synchronised=None
            if synchronised is None
            else cbor.expect_bool(synchronised, "clock_synchronised"),
            clock_error_ms=None
            if error_ms is None
            else cbor.expect_int(error_ms, "clock_error_ms"),
        )
