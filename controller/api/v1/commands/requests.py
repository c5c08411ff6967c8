"""What clients send about commands."""

from typing import Annotated, Literal

from pydantic import Field

from controller.api.text import Flag, StrictRequest
from controller.api.times import Moment
from shared.messages.actions import (
    MAX_HOLD_MS,
    Comparison,
    Condition,
    Reboot,
    SetSetpoint,
    SwitchOutlet,
)
from shared.messages.command import MAX_LIFETIME_MS
from shared.setpoints import MAX_POWER_W, PowerLimit, Preset, Run, Setpoint, Stop

DeviceName = Annotated[str, Field(min_length=1, max_length=63)]


class StopSetpoint(StrictRequest):
    """Hash no more."""

    kind: Literal["stop"]

    def setpoint(self) -> Setpoint:
        """As the wire has it."""
        return Stop()


class RunSetpoint(StrictRequest):
    """Hash at the device's own operating point."""

    kind: Literal["run"]

    def setpoint(self) -> Setpoint:
        """As the wire has it."""
        return Run()


class PowerLimitSetpoint(StrictRequest):
    """Hash with at most this wall power."""

    kind: Literal["power_limit"]
    power_w: int = Field(ge=1, le=MAX_POWER_W)

    def setpoint(self) -> Setpoint:
        """As the wire has it."""
        return PowerLimit(self.power_w)


class PresetSetpoint(StrictRequest):
    """Hash at a named operating point."""

    kind: Literal["preset"]
    name: str = Field(min_length=1, max_length=80)

    def setpoint(self) -> Setpoint:
        """As the wire has it."""
        return Preset(self.name)


AnySetpoint = Annotated[
    StopSetpoint | RunSetpoint | PowerLimitSetpoint | PresetSetpoint, Field(discriminator="kind")
]


class SetpointAction(StrictRequest):
    """Bring a miner to a setpoint; `hold_ms` holds it there against curtailment."""

    name: Literal["setpoint"]
    device: DeviceName
    setpoint: AnySetpoint
    hold_ms: int = Field(default=0, ge=0, le=MAX_HOLD_MS)

    def action(self) -> SetSetpoint:
        """As the wire has it."""
        return SetSetpoint(self.device, self.setpoint.setpoint(), self.hold_ms)


class RebootAction(StrictRequest):
    """Restart a device."""

    name: Literal["reboot"]
    device: DeviceName

    def action(self) -> Reboot:
        """As the wire has it."""
        return Reboot(self.device)


class SwitchAction(StrictRequest):
    """Close (energise) or open an outlet."""

    name: Literal["switch"]
    device: DeviceName
    outlet: int = Field(ge=1, le=1_000)
    closed: Flag

    def action(self) -> SwitchOutlet:
        """As the wire has it."""
        return SwitchOutlet(self.device, self.outlet, closed=self.closed)


class Precondition(StrictRequest):
    """Must hold on the node's last readings; an unknown value never does."""

    device: DeviceName
    metric: str = Field(min_length=1, max_length=80)
    comparison: Comparison
    value: bool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | float | str

    def condition(self) -> Condition:
        """As the wire has it."""
        return Condition(self.device, self.metric, self.comparison, self.value)


class NewCommand(StrictRequest):
    """An order to a node."""

    node: DeviceName
    action: Annotated[SetpointAction | RebootAction | SwitchAction, Field(discriminator="name")]
    not_before: Moment | None = Field(default=None, description="null: now")
    lifetime_ms: int = Field(
        default=300_000, ge=1, le=MAX_LIFETIME_MS, description="Not begun after that long"
    )
    precondition: list[Precondition] = Field(default_factory=list, max_length=20)
