"""Whether every zero of a reading was sent, by keys that a family names for each field."""

import re
from collections.abc import Mapping

from firmware_bridges.metrics import miner_metrics
from firmware_bridges.readings import MinerReading
from tests.property.drivers.mutations import zero_fields, zero_was_sent


def judge(reading: MinerReading, replies: Mapping[str, bytes], sources: Mapping[str, str]) -> None:
    """Fails when a field is zero and no reply has a zero under a key that feeds the field.
    `sources` has a regular expression of keys for each numeric field that may be zero."""
    for field in zero_fields(reading):
        assert field in sources, f"{field} is zero and no key is named for it"
        assert zero_was_sent(replies, re.compile(sources[field])), f"{field}: a zero not sent"
    assert len(list(miner_metrics(reading))) > 10
