"""Where the public market data lies beside a checkout, and one clear line where it does not."""

from pathlib import Path

DATA = (
    Path(__file__).resolve().parents[3]
    / "shared/data/energy/ercot_hub_15min_2024-01_2025-06.csv.gz"
)


def absent(data: Path) -> str | None:
    """What to tell whoever runs a benchmark without its data; None when the file is there."""
    if data.is_file():
        return None
    return f"{data} is not there; name the market data with --data FILE"
