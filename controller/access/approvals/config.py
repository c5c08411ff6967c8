"""`[approvals]`: what needs other people's approval, whose, and how many."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.approvals.passkey import RelyingParty
from shared.approvals.statement import MAX_PEOPLE, Policy
from shared.messages.actions import Action, SetSetpoint, SwitchOutlet
from shared.setpoints import setpoint_to_data

Person = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$")]
Name = Annotated[str, Field(min_length=1, max_length=63)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Section):
    """Whose approval, how many of them, and how long they have to decide (`lifetime_s`)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    people: Annotated[tuple[Person, ...], Field(min_length=1, max_length=MAX_PEOPLE)]
    quorum: Annotated[int, Field(ge=1, le=MAX_PEOPLE)] = 1
    lifetime_s: Annotated[int, Field(ge=60, le=30 * 86_400)] = 86_400

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if len(set(self.people)) != len(self.people):
            raise ValueError("somebody is named twice in `people`")
        if self.quorum > len(self.people):
            raise ValueError("`quorum` is more than the people that are named")
        return self

    @property
    def approvers(self) -> Policy:
        """As it is signed."""
        return Policy.of(self.people, self.quorum)


class PolicyRule(_Rule):
    """Changes of a policy of the controller need a quorum of these people."""

    policy: Literal["retention"]


class CommandRule(_Rule):
    """Commands that this describes need a quorum of these people; what is left out takes in all.

    `setpoint` narrows the action `setpoint`, `closed` the action `switch`.
    """

    action: Literal["setpoint", "reboot", "switch"]
    setpoint: Literal["stop", "run", "power_limit", "preset"] | None = None
    closed: bool | None = None
    site: Name | None = None
    node: Name | None = None
    device: Name | None = None

    @model_validator(mode="after")
    def _narrows_its_own(self) -> Self:
        if self.setpoint is not None and self.action != "setpoint":
            raise ValueError("`setpoint` goes with action = 'setpoint'")
        if self.closed is not None and self.action != "switch":
            raise ValueError("`closed` goes with action = 'switch'")
        return self

    def takes_in(self, site: str, node: str, action: Action) -> bool:
        """Whether this order is one of those described."""
        device = action.to_params().get("device")
        if self.action != action.name or self.device not in {None, device}:
            return False
        if self.site not in {None, site} or self.node not in {None, node}:
            return False
        match action:
            case SetSetpoint(setpoint=setpoint):
                return self.setpoint in {None, setpoint_to_data(setpoint)["kind"]}
            case SwitchOutlet(closed=closed):
                return self.closed is None or self.closed == closed
        return True


class ApprovalsConfig(_Section):
    """The rules, the first that takes an order in holds; and the origins of the page on which
    passkeys approve (all on one host, by default that of `[access] origin`)."""

    command: tuple[CommandRule, ...] = ()
    policy: tuple[PolicyRule, ...] = ()
    origins: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = [rule.name for rule in (*self.command, *self.policy)]
        if len(set(names)) != len(names):
            raise ValueError("two rules have one name")
        return self

    @field_validator("origins")
    @classmethod
    def _one_host(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin[:80]} is not an origin such as https://bes.example")
            if parts.scheme == "http" and parts.hostname != "localhost":
                raise ValueError("passkeys need https, or localhost")
        if len({urlsplit(origin).hostname for origin in origins}) > 1:
            raise ValueError("the origins are on different hosts")
        return origins

    def party(self, fallback_origin: str | None = None) -> RelyingParty | None:
        """Whom passkeys are made for; None where no origin is known."""
        origins = self.origins or ((fallback_origin,) if fallback_origin else ())
        if not origins:
            return None
        return RelyingParty(urlsplit(origins[0]).hostname or "", origins)

    def rule_for(self, site: str, node: str, action: Action) -> CommandRule | None:
        """The rule by which an order needs approval; None: it needs none."""
        rules = (rule for rule in self.command if rule.takes_in(site, node, action))
        return next(rules, None)

    def policy_rule(self, policy: str) -> PolicyRule | None:
        """The rule by which changes of a policy need approval; None: they need none."""
        return next((rule for rule in self.policy if rule.policy == policy), None)
