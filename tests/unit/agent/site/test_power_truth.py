"""Which power figure is believed."""

import pytest

from agent.site.power_truth import PowerClaims, PowerSource, power_truth
from shared.measured import Reason, Unknown

LOST = Unknown(Reason.TIMEOUT, "lost")
STALE = Unknown(Reason.STALE)


@pytest.mark.parametrize(
    ("claims", "power_w", "source"),
    [
        (PowerClaims(1.0, 2.0, 3.0, 4.0), 1.0, PowerSource.PDU),
        (PowerClaims(None, 2.0, 3.0, 4.0), 2.0, PowerSource.METER),
        (PowerClaims(LOST, LOST, 3.0, 4.0), 3.0, PowerSource.MINER),
        (PowerClaims(LOST, None, LOST, 4.0), 4.0, PowerSource.NAMEPLATE),
        (PowerClaims(0.0, 2.0, 3.0, 4.0), 0.0, PowerSource.PDU),
    ],
)
def test_the_most_trusted_known_figure_wins(
    claims: PowerClaims, power_w: float, source: PowerSource
) -> None:
    assert power_truth(claims) == (power_w, source)


def test_without_any_figure_the_power_is_unknown_for_the_best_source_s_reason() -> None:
    assert power_truth(PowerClaims(pdu=LOST, miner=STALE)) == (LOST, None)
    power_w, source = power_truth(PowerClaims())
    assert isinstance(power_w, Unknown)
    assert power_w.reason is Reason.NOT_CONFIGURED
    assert source is None
