"""Rules say which orders need whose approval."""

from typing import Any

import pytest
from pydantic import ValidationError

from controller.access.approvals.config import ApprovalsConfig, CommandRule, PolicyRule
from shared.messages.actions import Action, Reboot, SetSetpoint, SwitchOutlet
from shared.setpoints import Run, Stop

STOP_SITE = SetSetpoint("site", Stop())


def rule(**given: Any) -> CommandRule:
    """A rule with two people."""
    told = {"name": "rule", "action": "setpoint", "people": ["bob", "alice"], **given}
    return CommandRule.model_validate(told)


@pytest.mark.parametrize(
    ("given", "action", "needed"),
    [
        ({}, STOP_SITE, True),
        ({"setpoint": "stop"}, STOP_SITE, True),
        ({"setpoint": "run"}, STOP_SITE, False),
        ({"setpoint": "stop"}, SetSetpoint("site", Run()), False),
        ({"device": "site"}, STOP_SITE, True),
        ({"device": "miner-01"}, STOP_SITE, False),
        ({"site": "site-a", "node": "a-01"}, STOP_SITE, True),
        ({"site": "site-b"}, STOP_SITE, False),
        ({"node": "a-02"}, STOP_SITE, False),
        ({}, Reboot("site"), False),
        ({"action": "reboot"}, Reboot("m"), True),
        ({"action": "switch"}, SwitchOutlet("pdu", 1, closed=True), True),
        ({"action": "switch", "closed": True}, SwitchOutlet("pdu", 1, closed=True), True),
        ({"action": "switch", "closed": False}, SwitchOutlet("pdu", 1, closed=True), False),
    ],
)
def test_a_rule_takes_in_what_it_describes(
    given: dict[str, Any], action: Action, *, needed: bool
) -> None:
    assert rule(**given).takes_in("site-a", "a-01", action) is needed


def test_the_first_rule_that_takes_an_order_in_holds() -> None:
    config = ApprovalsConfig(
        command=(rule(name="one", device="other"), rule(name="two"), rule(name="three"))
    )
    found = config.rule_for("site-a", "a-01", STOP_SITE)
    assert found is not None
    assert (found.name, found.approvers.people) == ("two", ("alice", "bob"))
    assert config.rule_for("site-a", "a-01", Reboot("m")) is None


@pytest.mark.parametrize(
    "given",
    [
        {"quorum": 3},
        {"quorum": 0},
        {"people": []},
        {"people": ["alice", "alice"]},
        {"people": ["Alice"]},
        {"action": "melt"},
        {"action": "reboot", "setpoint": "stop"},
        {"closed": True},
        {"lifetime_s": 1},
        {"name": "a rule"},
        {"colour": "red"},
    ],
)
def test_a_rule_that_cannot_be_met_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**given)


def test_two_rules_with_one_name_are_refused() -> None:
    kept = PolicyRule(name="rule", policy="retention", people=("alice",))
    for policy, command in ((), (rule(), rule())), ((kept,), (rule(),)):
        with pytest.raises(ValidationError):
            ApprovalsConfig(command=command, policy=policy)
    assert ApprovalsConfig(policy=(kept,)).policy_rule("retention") is kept
    assert ApprovalsConfig().policy_rule("retention") is None


@pytest.mark.parametrize(
    "origins",
    [
        ["bes.example"],
        ["https://bes.example/"],
        ["http://bes.example"],
        ["https://a.example", "https://b.example"],
    ],
)
def test_origins_that_passkeys_cannot_have_are_refused(origins: list[str]) -> None:
    with pytest.raises(ValidationError):
        ApprovalsConfig.model_validate({"origins": origins})


def test_passkeys_are_for_the_host_of_the_page() -> None:
    config = ApprovalsConfig(origins=("https://bes.example:8443",))
    party = config.party("https://other.example")
    assert party is not None
    assert (party.id, party.origins) == ("bes.example", ("https://bes.example:8443",))
    fallback = ApprovalsConfig().party("https://other.example")
    assert fallback is not None
    assert fallback.id == "other.example"
    assert ApprovalsConfig().party() is None
