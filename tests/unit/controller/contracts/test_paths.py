"""What a contract says of its paths: names, earliest heights, signers, and who enforces what."""

import random
from importlib.metadata import EntryPoint

import pytest

from controller.contracts import catalogue
from controller.contracts.contract import Layout, Part, Template, build
from controller.contracts.errors import TermsError, UnknownNameError
from controller.contracts.parties import OutputForm, Seats
from controller.contracts.paths import EnforcedBy, Outcome, Way
from controller.contracts.templates import (
    decaying_treasury,
    escrow,
    htlc,
    musig_treasury,
    treasury,
    vault,
)
from controller.contracts.terms import Terms
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import After, And, Key, Older, Or
from tests.integration.controller.contracts.parameters import (
    DRAWN,
    NETWORK,
    OTHER_ADDRESS,
    SOME_ADDRESS,
    draw_contract,
    people,
)

A, B, C, D, E = people()[:5]
BUILT_IN = {
    "treasury": "treasury",
    "decaying-treasury": "decaying_treasury",
    "escrow": "escrow",
    "vesting": "vesting",
    "vault": "vault",
    "htlc": "htlc",
    "revenue-share": "revenue_share",
    "musig-treasury": "musig_treasury",
}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points as the project file names them."""
    points = [
        EntryPoint(name, f"controller.contracts.templates.{module}:TEMPLATE", catalogue.GROUP)
        for name, module in BUILT_IN.items()
    ]
    points.append(EntryPoint("broken", "controller.contracts.paths:Way", catalogue.GROUP))
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points)
    catalogue.known_templates.cache_clear()
    catalogue.load_template.cache_clear()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_template_is_found_by_its_entry_point(name: str) -> None:
    assert catalogue.load_template(name) is DRAWN[name][0]


@pytest.mark.usefixtures("installed")
def test_an_unknown_template_and_one_that_is_none_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="escrow"):
        catalogue.load_template("lottery")
    with pytest.raises(TypeError, match="names no Template"):
        catalogue.load_template("broken")


def test_an_escrow_explains_its_four_ways() -> None:
    contract = build(
        escrow.TEMPLATE,
        escrow.EscrowTerms(A, B, C, SOME_ADDRESS, OTHER_ADDRESS, 500_000, 1_234),
        NETWORK,
    )
    assert list(contract.paths) == ["release", "award-seller", "award-buyer", "timeout"]
    timeout = contract.path("timeout")
    assert timeout.explain(900) == (
        "Nobody decided in time, and the buyer takes the amount back: person-0 must sign, "
        "after block 1234; at the earliest in block 1235."
    )
    assert timeout.outcome is Outcome.REFUNDS
    assert contract.path("award-seller").required == "all of person-2 and person-1"
    assert contract.amounts_sat == {"escrow": 500_000}


@pytest.mark.parametrize("form", list(OutputForm))
def test_relative_locks_count_from_the_funding_and_absolute_ones_from_genesis(
    form: OutputForm,
) -> None:
    decay = decaying_treasury.Decay(100, 1, (C, D))
    terms = decaying_treasury.DecayingTreasuryTerms(E, 2, (A, B), (decay,), 200, form)
    contract = build(decaying_treasury.TEMPLATE, terms, NETWORK)
    heights = {name: path.earliest_height(1_000) for name, path in contract.paths.items()}
    assert heights == {"spend": 1_000, "recovery": 1_100, "emergency": 1_200}
    locked = build(htlc.TEMPLATE, htlc.HtlcTerms(A, B, bytes(32), 50_000, 1_500, form), NETWORK)
    assert locked.path("refund").earliest_height(1_000) == 1_501
    assert locked.path("claim").earliest_height(1_000) == 1_000
    assert "secret" in locked.path("claim").explain()


def test_a_vault_says_which_rule_is_consensus_and_which_the_signers_keep() -> None:
    contract = build(vault.TEMPLATE, vault.VaultTerms(2, (A, B), 1, (C,), 144), NETWORK)
    assert list(contract.descriptors) == [vault.VAULT, vault.WAITING]
    rules = {
        name: {(rule.text, rule.enforced_by) for rule in path.rules}
        for name, path in contract.paths.items()
    }
    only_there = "only the waiting room is paid, and change stays in the vault"
    assert (only_there, EnforcedBy.SIGNERS) in rules["unvault"]
    assert ("the coin must be 144 blocks old", EnforcedBy.CONSENSUS) in rules["withdraw"]
    assert ("person-2 must sign", EnforcedBy.CONSENSUS) in rules["claw-back"]


def test_every_path_of_every_template_has_rules_of_consensus() -> None:
    for template in DRAWN:
        for path in draw_contract(template, random.Random(template)).paths.values():
            assert path.rules[0].enforced_by is EnforcedBy.CONSENSUS
            assert path.required in path.explain()


def test_a_musig_treasury_shows_one_key_and_hides_its_fallback() -> None:
    terms = musig_treasury.MusigTreasuryTerms((A, B, C), 2, 500)
    contract = build(musig_treasury.TEMPLATE, terms, NETWORK)
    together = contract.path("together")
    assert together.required == "all of person-0, person-1 and person-2"
    assert together.options[0].spending.leaf is None
    assert contract.path("fallback").older == 500


def _one_part(policies: dict[str, object], form: OutputForm = OutputForm.WSH) -> Template[Terms]:
    def lay_out(terms: Terms, network: Network) -> Layout:
        del terms
        seats = Seats(network, form.form)
        keys = {one.name: Key(seats.key(one)) for one in (A, B, C)}
        ways = tuple(
            Way(name, "It pays", make(keys), Outcome.CONTINUES)  # type: ignore[operator]
            for name, make in policies.items()
        )
        return Layout((Part("part", form.form, ways),), seats)

    return Template("made-up", "made up", treasury.TreasuryTerms, lay_out)


TERMS = treasury.TreasuryTerms(1, (A,))


def test_a_way_of_several_scripts_is_one_path_with_options() -> None:
    template = _one_part(
        {
            "alone": lambda keys: keys[A.name],
            "either": lambda keys: Or((keys[B.name], keys[C.name]), (1, 1)),
        }
    )
    either = build(template, TERMS, NETWORK).path("either")
    assert either.required == "person-1, or person-2"
    assert len(either.options) == 2


def test_two_ways_of_one_script_path_make_no_contract() -> None:
    """Otherwise a path would be explained that the script does not tell from another."""
    template = _one_part(
        {"pay": lambda keys: keys[A.name], "refund": lambda keys: keys[A.name]}, OutputForm.TR
    )
    with pytest.raises(TermsError, match="refund is not in the script"):
        build(template, TERMS, NETWORK)


@pytest.mark.parametrize("lock", [Older((1 << 22) + 5), After(1_700_000_000)])
def test_a_path_locked_by_time_is_refused(lock: Older | After) -> None:
    template = _one_part({"timed": lambda keys: And((keys[A.name], lock))})
    with pytest.raises(TermsError, match="locks in heights and blocks"):
        build(template, TERMS, NETWORK)
