"""Fee estimates within bounds."""

from dataclasses import replace

import pytest

from controller.chain.fees import FeeBounds, FeeSource, NoFeeQuoteError, fee_at, quote
from controller.chain.values import FeeEstimate, NodeFacts
from shared.bitcoin.networks import Network
from shared.errors import BadInputError

_FACTS = NodeFacts("a node", 290_000, Network.REGTEST, 1_000, 1_000, 1_000, False, 0)
_BOUNDS = FeeBounds(2_000, 50_000)


@pytest.mark.parametrize(
    ("estimate", "feerate", "source"),
    [
        (1_500, 2_000, FeeSource.FLOOR),
        (2_000, 2_000, FeeSource.ESTIMATE),
        (50_000, 50_000, FeeSource.ESTIMATE),
        (50_001, 50_000, FeeSource.CEILING),
    ],
)
def test_an_estimate_is_brought_within_the_bounds(
    estimate: int, feerate: int, source: FeeSource
) -> None:
    quoted = quote(FeeEstimate(6, estimate), _BOUNDS, _FACTS)
    assert (quoted.feerate_sat_per_kvb, quoted.source) == (feerate, source)


def test_the_floor_is_what_the_node_relays_if_that_is_higher() -> None:
    busy = replace(_FACTS, mempool_min_sat_per_kvb=7_000)
    assert quote(FeeEstimate(6, 3_000), _BOUNDS, busy).feerate_sat_per_kvb == 7_000


def test_a_node_that_relays_nothing_below_the_ceiling_gives_no_quote() -> None:
    with pytest.raises(NoFeeQuoteError, match="60000"):
        quote(FeeEstimate(6, 3_000), _BOUNDS, replace(_FACTS, mempool_min_sat_per_kvb=60_000))


def test_without_an_estimate_the_fallback_stands_in_and_without_one_nothing_does() -> None:
    unknown = FeeEstimate(6, None, "too little data")
    with pytest.raises(NoFeeQuoteError, match="too little data"):
        quote(unknown, _BOUNDS, _FACTS)
    quoted = quote(unknown, FeeBounds(2_000, 50_000, 5_000), _FACTS)
    assert (quoted.feerate_sat_per_kvb, quoted.source) == (5_000, FeeSource.FALLBACK)


@pytest.mark.parametrize("bounds", [(0, 1, None), (5, 4, None), (2, 9, 1), (2, 9, 10)])
def test_bounds_that_contradict_each_other_are_refused(
    bounds: tuple[int, int, int | None],
) -> None:
    with pytest.raises(BadInputError, match=r"fees\."):
        FeeBounds(*bounds)


def test_a_fee_is_rounded_up() -> None:
    assert (fee_at(1_000, 141), fee_at(1_001, 141), fee_at(0, 141)) == (141, 142, 0)
