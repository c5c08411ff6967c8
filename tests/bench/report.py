"""The one shape every benchmark writes: {"name", "cases": [{case, value, unit, floor, ratio}]}."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Case:
    """One measured figure.

    `floor` is the baseline measured in the same run and in the same unit (the work without the
    suite, the naive forecast), `ratio` is `value / floor`; both None where nothing compares.
    """

    case: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None


def beside(case: str, value: float, unit: str, floor: float) -> Case:
    """A case with its baseline and their ratio (None when the baseline is zero)."""
    return Case(case, value, unit, floor, value / floor if floor else None)


def write(path: Path, name: str, cases: Sequence[Case]) -> None:
    """Writes the report as JSON; a NaN or infinity raises ValueError."""
    report = {"name": name, "cases": [asdict(case) for case in cases]}
    path.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def show(cases: Sequence[Case]) -> str:
    """The cases as aligned lines for a terminal."""
    lines = []
    for case in cases:
        line = f"{case.case:<48} {case.value:>14,.4f} {case.unit}"
        if case.floor is not None and case.ratio is not None:
            line += f"  (floor {case.floor:,.4f}, ratio {case.ratio:.3f})"
        lines.append(line)
    return "\n".join(lines)
