"""Test vectors of the BIPs, each file with its source."""

import json
from pathlib import Path
from typing import Any


def load(name: str) -> Any:
    """The content of `name`.json beside this file."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
