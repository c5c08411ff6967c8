"""The scale that prices are modelled on: linear near zero, logarithmic far out, signed.

Spikes to thousands of USD/MWh and negative prices both fit; quantiles pass through it unchanged,
for it is monotone.
"""

import math

LINEAR_RANGE_USD_PER_MWH = 15.0


def compress(price_usd_per_mwh: float) -> float:
    """asinh of the price over the linear range."""
    return math.asinh(price_usd_per_mwh / LINEAR_RANGE_USD_PER_MWH)


def expand(compressed: float) -> float:
    """The inverse of `compress`, USD/MWh."""
    return LINEAR_RANGE_USD_PER_MWH * math.sinh(compressed)
