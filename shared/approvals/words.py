"""An intent in plain words: every field of it, whole, computed from the intent itself."""

from datetime import datetime, tzinfo

from shared.approvals.intents import (
    AnyIntent,
    CommandIntent,
    ContractIntent,
    GrantChange,
    PaymentIntent,
    PaymentOutput,
    PolicyIntent,
    UserGrantIntent,
)
from shared.messages.actions import Action, Comparison, Condition, Reboot, SetSetpoint, SwitchOutlet
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop
from shared.time import from_ms

Line = tuple[str, str]
"""What it is, and its value."""

_COMPARISONS = {
    Comparison.EQUAL: "is",
    Comparison.AT_LEAST: "at least",
    Comparison.AT_MOST: "at most",
}


def headline(intent: AnyIntent) -> str:
    """The intent in one line."""
    match intent:
        case PaymentIntent():
            return f"Pay {btc(intent.total_sat)} from {intent.wallet}"
        case CommandIntent():
            return f"On node {intent.node} of site {intent.site}: {action_words(intent.action)}"
        case PolicyIntent():
            return f"Change the policy {intent.policy}"
        case UserGrantIntent(change=GrantChange.GRANT):
            return f"Give {intent.user} the role {intent.role} on {intent.scope}"
        case UserGrantIntent():
            return f"Take from {intent.user} the role {intent.role} on {intent.scope}"
        case ContractIntent():
            return f"Contract {intent.contract}: {intent.step}"


def lines(intent: AnyIntent, local: tzinfo | None = None) -> list[Line]:
    """Every field. Times in UTC, and in `local` too when it is given."""
    told = [("Kind", intent.kind.value.replace("_", " "))]
    match intent:
        case PaymentIntent():
            told += _payment(intent)
        case CommandIntent():
            told += _command(intent)
        case PolicyIntent():
            told.append(("Policy", intent.policy))
            told += [(f"Setting {name}", f"{was} → {be}") for name, was, be in intent.changes]
        case UserGrantIntent():
            told += [("Account", intent.user), ("Change", intent.change.value)]
            told += [("Role", intent.role), ("Scope", intent.scope)]
        case ContractIntent():
            told += [("Contract", intent.contract), ("Template", intent.template)]
            told.append(("Step", intent.step))
            told += [(f"Term {name}", value) for name, value in intent.terms]
    told.append(("Must be done before", time_words(intent.deadline_ms, local)))
    told.append(("Unique number", intent.unique.hex()))
    return told


def _payment(intent: PaymentIntent) -> list[Line]:
    told = [("From wallet", intent.wallet), ("Contract path", intent.contract_path)]
    for number, output in enumerate(intent.outputs, 1):
        of = f"Output {number} of {len(intent.outputs)}"
        told += [(f"{of}, to", _destination(output)), (f"{of}, amount", btc(output.amount_sat))]
    told.append(("Sum of the outputs", btc(intent.total_sat)))
    told.append(("Fee, at the most", btc(intent.fee_ceiling_sat)))
    told.append(("In all, at the most", btc(intent.total_sat + intent.fee_ceiling_sat)))
    return told


def _destination(output: PaymentOutput) -> str:
    return output.address or f"script {(output.script or b'').hex()}"


def _command(intent: CommandIntent) -> list[Line]:
    told = [("Site", intent.site), ("Node", intent.node)]
    told.append(("Order", action_words(intent.action)))
    told += [
        (f"Only if, {number} of {len(intent.precondition)}", condition_words(condition))
        for number, condition in enumerate(intent.precondition, 1)
    ]
    told.append(("Begun at the latest", f"{_span(intent.lifetime_ms)} after the last approval"))
    return told


def action_words(action: Action) -> str:
    """An order to a device."""
    match action:
        case SetSetpoint(device, setpoint, hold_ms):
            hold = f", held for {_span(hold_ms)} against curtailment" if hold_ms else ""
            return f"{_setpoint_words(setpoint)} {device}{hold}"
        case Reboot(device):
            return f"reboot {device}"
        case SwitchOutlet(device, outlet, closed):
            return f"{'close (energise)' if closed else 'open'} outlet {outlet} of {device}"
    return f"{action.name} with {action.to_params()!r}"


def _setpoint_words(setpoint: Setpoint) -> str:
    match setpoint:
        case Stop():
            return "stop"
        case Run():
            return "run"
        case PowerLimit(power_w):
            return f"limit to {power_w} W"
        case Preset(name):
            return f"set preset {name!r} of"


def _span(span_ms: int) -> str:
    return f"{span_ms} ms" if span_ms % 1_000 else f"{span_ms // 1_000} s"


def condition_words(condition: Condition) -> str:
    """A precondition."""
    compared = _COMPARISONS[condition.comparison]
    return f"{condition.metric} of {condition.device} {compared} {condition.value!r}"


def btc(amount_sat: int) -> str:
    """`0.00012345 BTC (12345 sat)`, exact."""
    return f"{amount_sat // 10**8}.{amount_sat % 10**8:08} BTC ({amount_sat} sat)"


def time_words(time_ms: int, local: tzinfo | None = None) -> str:
    """The time in UTC, and in a zone of the reader's."""
    utc = from_ms(time_ms)
    text = _clock(utc) + " UTC"
    if local is None:
        return text
    there = utc.astimezone(local)
    return f"{text} (here {_clock(there)} {there:%z})"


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03}"
