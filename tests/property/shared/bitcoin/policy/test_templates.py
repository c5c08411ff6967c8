"""The contract templates' policies: compiled, made descriptors of, spent on Core's engine."""

import random
from collections.abc import Callable

import pytest

from shared.bitcoin.descriptors import Descriptor, parse
from shared.bitcoin.hashes import sha256
from shared.bitcoin.miniscript import Context
from shared.bitcoin.policy import InternalKey, compile_policy, compile_taproot
from shared.bitcoin.policy import parse as parse_policy
from tests.property.shared.bitcoin.descriptors.engine import spend_every_path
from tests.property.shared.bitcoin.descriptors.random_descriptors import (
    NETWORK,
    PREIMAGE,
    account,
)


def _pk(number: int) -> str:
    return f"pk({account(number)}/<{2 * number};{2 * number + 1}>/*)"


def _m_of_n(source: random.Random) -> str:
    count = source.randint(2, 8)
    return f"thresh({source.randint(1, count)},{','.join(map(_pk, range(count)))})"


def _decaying(source: random.Random) -> str:
    """A treasury, its recovery after a while, and an emergency key after longer."""
    first, second = sorted(source.sample(range(2, 65_535), 2))
    recovery = f"and(thresh(2,{_pk(4)},{_pk(5)},{_pk(6)}),older({first}))"
    emergency = f"and({_pk(7)},older({second}))"
    return f"or(98@thresh(2,{_pk(1)},{_pk(2)},{_pk(3)}),{recovery},{emergency})"


def _escrow(source: random.Random) -> str:
    timeout = source.randint(1, 1_000_000)
    arbitrated = f"and({_pk(3)},or({_pk(1)},{_pk(2)}))"
    swapped = f"and({_pk(3)},or({_pk(4)},{_pk(5)}))"
    kept = source.choice((arbitrated, swapped)).replace(_pk(1), _pk(6)).replace(_pk(2), _pk(7))
    return f"or(9@and({_pk(1)},{_pk(2)}),{kept},and({_pk(0)},after({timeout})))"


def _vault(source: random.Random) -> str:
    return f"or(9@and({_pk(1)},older({source.randint(2, 4032)})),thresh(2,{_pk(2)},{_pk(3)}))"


def _htlc(source: random.Random) -> str:
    digest = sha256(PREIMAGE).hex()
    refund = f"and({_pk(2)},after({source.randint(500_000_001, 2_000_000_000)}))"
    return f"or(and({_pk(1)},sha256({digest})),{refund})"


def _vesting(source: random.Random) -> str:
    return f"and({_pk(1)},after({source.randint(1, 499_999_999)}))"


_TEMPLATES = [_m_of_n, _decaying, _escrow, _vault, _htlc, _vesting]
_TARGETS: dict[str, Callable[[str], str]] = {
    "wsh": lambda text: f"wsh({compile_policy(parse_policy(text), Context.P2WSH)})",
    "tr": lambda text: str(compile_taproot(parse_policy(text))),
    "tr without a key": lambda text: str(compile_taproot(parse_policy(text), InternalKey.NOBODY)),
    "tr with musig": lambda text: str(
        compile_taproot(parse_policy(text), f"musig({account(8)},{account(9)})/<0;1>/*")
    ),
}


def _compiled(template: Callable[[random.Random], str], target: str, seed: int) -> Descriptor:
    return parse(_TARGETS[target](template(random.Random(seed))), NETWORK)


@pytest.mark.parametrize("target", _TARGETS)
@pytest.mark.parametrize("template", _TEMPLATES)
def test_a_template_is_spent_by_every_path_and_by_nothing_less(
    template: Callable[[random.Random], str], target: str
) -> None:
    for seed in range(2):
        spend_every_path(_compiled(template, target, seed), seed, 7)


@pytest.mark.soak
@pytest.mark.parametrize("target", _TARGETS)
@pytest.mark.parametrize("template", _TEMPLATES)
def test_a_template_with_many_parameters_is_spent_by_every_path(
    template: Callable[[random.Random], str], target: str
) -> None:
    for seed in range(100, 150):
        spend_every_path(_compiled(template, target, seed), seed % 2, seed)
