"""Makes a booster exact in single precision, so that ONNX answers bit for bit as LightGBM does.

ONNX Runtime compares and adds in float32, LightGBM in float64. Two roundings remove the difference:

- Features are float32 already, and a threshold rounded *down* to float32 parts them as before
  (x <= t is x <= floor32(t) for every float32 x). Rounding to nearest may move a value to the other
  side; an earlier model differed by 0.045 for it.
- A leaf rounded to a multiple of 2^-18 makes every sum of leaves a multiple of it too; below 64
  such a sum has at most 24 significant bits, so float32 holds it without error, in any order.
"""

from collections.abc import Iterable

import lightgbm
import numpy as np

LEAF_STEP = 2.0**-18
MAX_SUM = 64.0


class InexactModelError(Exception):
    """A sum of leaves may leave the range in which float32 is exact."""


def exact(booster: lightgbm.Booster) -> lightgbm.Booster:
    """The booster with thresholds and leaves rounded; `InexactModelError` if sums may be large."""
    reach = 0.0
    kept = []
    for line in booster.model_to_string().split("\n"):
        name, _, values = line.partition("=")
        if name == "tree_sizes":
            continue  # byte counts of the unrounded text; without them the text is read in order
        if name == "threshold":
            thresholds = [floor32(float(value)) for value in values.split()]
            kept.append(f"{name}={_join(thresholds)}")
        elif name == "leaf_value":
            leaves = [round(float(value) / LEAF_STEP) * LEAF_STEP for value in values.split()]
            reach += max(abs(leaf) for leaf in leaves)
            kept.append(f"{name}={_join(leaves)}")
        else:
            kept.append(line)
    if reach >= MAX_SUM:
        raise InexactModelError(f"leaves may add up to {reach}, float32 is exact below {MAX_SUM}")
    return lightgbm.Booster(model_str="\n".join(kept))


def floor32(value: float) -> float:
    """The largest float32 that is not above the value."""
    nearest = np.float32(value)
    if float(nearest) > value:
        nearest = np.nextafter(nearest, np.float32(-np.inf))
    return float(nearest)


def _join(values: Iterable[float]) -> str:
    return " ".join(repr(value) for value in values)
