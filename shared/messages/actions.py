"""What a command may ask of a node, and the conditions it may set.

A new action is one dataclass here with `name`, `to_params` and `from_params`, entered in
`_ACTIONS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from shared.errors import BadInputError
from shared.measured import Scalar
from shared.messages import cbor
from shared.setpoints import Setpoint, setpoint_from_data, setpoint_to_data

MAX_HOLD_MS = 7 * 86_400_000


class Action(Protocol):
    """One kind of order."""

    name: ClassVar[str]

    def to_params(self) -> dict[str, Any]:
        """The `params` of the command."""
        ...


@dataclass(frozen=True, slots=True)
class SetSetpoint:
    """Bring a miner to a setpoint and hold it there against curtailment for `hold_ms`."""

    name: ClassVar[str] = "setpoint"
    device: str
    setpoint: Setpoint
    hold_ms: int = 0

    def to_params(self) -> dict[str, Any]:
        """See `Action`."""
        return {
            "device": self.device,
            "hold_ms": self.hold_ms,
            "setpoint": setpoint_to_data(self.setpoint),
        }

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "SetSetpoint":
        """Reads `params`."""
        _only(params, {"device", "hold_ms", "setpoint"})
        return cls(
            device=_device(params),
            setpoint=setpoint_from_data(
                cbor.expect_map(cbor.take(params, "setpoint"), "params.setpoint")
            ),
            hold_ms=cbor.expect_int(params.get("hold_ms", 0), "params.hold_ms", 0, MAX_HOLD_MS),
        )


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart a device."""

    name: ClassVar[str] = "reboot"
    device: str

    def to_params(self) -> dict[str, Any]:
        """See `Action`."""
        return {"device": self.device}

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "Reboot":
        """Reads `params`."""
        _only(params, {"device"})
        return cls(device=_device(params))


@dataclass(frozen=True, slots=True)
class SwitchOutlet:
    """Close (energise) or open one outlet of a PDU or breaker; outlets count from 1."""

    name: ClassVar[str] = "switch"
    device: str
    outlet: int
    closed: bool

    def to_params(self) -> dict[str, Any]:
        """See `Action`."""
        return {"closed": self.closed, "device": self.device, "outlet": self.outlet}

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "SwitchOutlet":
        """Reads `params`."""
        _only(params, {"closed", "device", "outlet"})
        return cls(
            device=_device(params),
            outlet=cbor.expect_int(cbor.take(params, "outlet"), "params.outlet", 1, 1_000),
            closed=cbor.expect_bool(cbor.take(params, "closed"), "params.closed"),
        )


class Comparison(StrEnum):
    """How a condition compares a reading with its value."""

    EQUAL = "eq"
    AT_LEAST = "ge"
    AT_MOST = "le"


@dataclass(frozen=True, slots=True)
class Condition:
    """A metric of a device, as last read, compares so with a value. Unknown never holds."""

    device: str
    metric: str
    comparison: Comparison
    value: Scalar

    def to_row(self) -> list[Any]:
        """The row in a command's `precondition`."""
        return [self.device, self.metric, self.comparison.value, self.value]


_ACTIONS: dict[str, type[SetSetpoint | Reboot | SwitchOutlet]] = {
    SetSetpoint.name: SetSetpoint,
    Reboot.name: Reboot,
    SwitchOutlet.name: SwitchOutlet,
}
ACTION_NAMES = tuple(sorted(_ACTIONS))


def decode_action(name: str, params: Mapping[str, Any]) -> SetSetpoint | Reboot | SwitchOutlet:
    """The action of that name; `BadInputError` for an unknown one or wrong `params`."""
    action = _ACTIONS.get(name)
    if action is None:
        raise BadInputError("action", repr(name)[:60], ", ".join(ACTION_NAMES))
    return action.from_params(params)


def decode_conditions(value: object) -> tuple[Condition, ...]:
    """Reads a `precondition`: at most 20 rows `[device, metric, comparison, value]`."""
    return tuple(_condition(row) for row in cbor.expect_list(value, "precondition", 20))


def _condition(row: object) -> Condition:
    match row:
        case [
            str(device),
            str(metric),
            str(comparison),
            (bool() | int() | float() | str()) as value,
        ]:
            if comparison in set(Comparison):
                return Condition(device, metric, Comparison(comparison), value)
    raise BadInputError("precondition", repr(row)[:80], "[device, metric, eq | ge | le, value]")


def _device(params: Mapping[str, Any]) -> str:
    return cbor.expect_text(cbor.take(params, "device"), "params.device", 63)


def _only(params: Mapping[str, Any], allowed: set[str]) -> None:
    extra = set(params) - allowed
    if extra:
        raise BadInputError(f"params.{min(extra)}", "not a parameter", ", ".join(sorted(allowed)))
