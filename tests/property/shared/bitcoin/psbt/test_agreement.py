"""What is written here, two other implementations read and write to the same bytes.

The order of a map's records is each writer's own, so maps are compared sorted by key.
"""

import random
from dataclasses import replace
from typing import Any

import pytest
import wallycore
from btclib_wallet.psbt import Psbt as Oracle
from btclib_wallet.psbt import combine as combine_by_oracle

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt import (
    Psbt,
    PsbtInput,
    combine,
    from_base64,
    parse,
    serialise,
    to_base64,
    to_version_0,
    to_version_2,
)
from shared.bitcoin.wire import Reader, var_bytes
from tests.property.shared.bitcoin.psbt.generated import Generator

IN_SUITE = 60
IN_SOAK = 5_000


def in_order(data: bytes) -> bytes:
    """The PSBT with the records of each map sorted by key."""
    reader, parts = Reader(data[5:]), [data[:5]]
    while reader.remaining:
        records = {}
        while key := reader.var_bytes():
            records[key] = reader.var_bytes()
        parts += [var_bytes(key) + var_bytes(records[key]) for key in sorted(records)]
        parts.append(b"\x00")
    return b"".join(parts)


def agree(seed: int) -> None:
    psbt = Generator(seed).psbt()
    data = serialise(psbt)
    assert data == in_order(data)
    assert parse(data) == psbt
    assert from_base64(to_base64(psbt)) == psbt
    oracle = Oracle.parse(data)
    assert in_order(oracle.serialize()) == data
    assert psbt.lock_time == oracle.lock_time
    assert psbt.unsigned.serialise_without_witness() == oracle.tx.serialize(include_witness=False)
    assert in_order(oracle.to_v0().serialize()) == serialise(to_version_0(psbt))
    if psbt.version == 0:
        assert in_order(oracle.to_v2().serialize()) == serialise(to_version_2(psbt))
    else:
        assert psbt.identifier == bytes(oracle.unique_id)[::-1]
    agree_with_wally(psbt)


def agree_with_wally(psbt: Psbt) -> None:
    """But for what libwally leaves out: witnesses of previous transactions, flags that are zero."""
    inputs = tuple(without_witness(one) for one in psbt.inputs)
    data = serialise(replace(psbt, inputs=inputs, modifiable=psbt.modifiable or None))
    read = wallycore.psbt_from_bytes(data, wallycore.WALLY_PSBT_PARSE_FLAG_STRICT)
    everything = wallycore.WALLY_PSBT_SERIALIZE_FLAG_REDUNDANT
    assert in_order(bytes(wallycore.psbt_to_bytes(read, everything))) == data


def without_witness(one: PsbtInput) -> PsbtInput:
    previous = one.previous_transaction
    if previous is None:
        return one
    bare = previous.with_witnesses([()] * len(previous.inputs))
    return replace(one, previous_transaction=bare)


@pytest.mark.parametrize("seed", range(IN_SUITE))
def test_three_implementations_agree(seed: int) -> None:
    agree(seed)


@pytest.mark.soak
def test_three_implementations_agree_on_thousands() -> None:
    for seed in range(IN_SUITE, IN_SUITE + IN_SOAK):
        agree(seed)


KEYED = (
    "partial_signatures",
    "derivations",
    "tap_script_signatures",
    "tap_leaf_scripts",
    "tap_derivations",
    "musig_nonces",
    "musig_partial_signatures",
)


def apart(psbt: Psbt, source: random.Random) -> tuple[Psbt, Psbt]:
    """Two PSBTs that each lack some of what the inputs of the whole have."""
    halves: tuple[list[PsbtInput], list[PsbtInput]] = ([], [])
    for one in psbt.inputs:
        kept: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for name in KEYED:
            held = getattr(one, name)
            left = {key for key in held if source.random() < 0.5}
            kept[0][name] = {key: value for key, value in held.items() if key in left}
            kept[1][name] = {key: value for key, value in held.items() if key not in left}
        for half, fields in zip(halves, kept, strict=True):
            half.append(replace(one, **fields))
    left_inputs, right_inputs = map(tuple, halves)
    return replace(psbt, inputs=left_inputs), replace(psbt, inputs=right_inputs)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_combined_is_whole_here_and_by_the_oracle(seed: int) -> None:
    psbt = Generator(seed).psbt()
    left, right = apart(psbt, random.Random(seed))
    assert combine([left, right]) == combine([right, left]) == psbt
    theirs = combine_by_oracle([Oracle.parse(serialise(one)) for one in (left, right)])
    assert in_order(theirs.serialize()) == serialise(psbt)


def damaged(data: bytes, source: random.Random) -> bytes:
    """One byte changed, some cut off, or some put in."""
    place = source.randrange(len(data))
    kind = source.randrange(3)
    if kind == 0:
        return data[:place] + bytes([data[place] ^ 1 << source.randrange(8)]) + data[place + 1 :]
    if kind == 1:
        return data[:place] + data[place + source.randrange(1, 40) :]
    return data[:place] + source.randbytes(source.randrange(1, 40)) + data[place:]


def survive(seed: int) -> None:
    source = random.Random(seed)
    data = serialise(Generator(seed).psbt())
    for _ in range(20):
        broken = damaged(data, source)
        try:
            psbt = parse(broken)
        except PsbtError:
            continue
        assert parse(serialise(psbt)) == psbt


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_are_refused_or_read_as_what_they_say(seed: int) -> None:
    survive(seed)


@pytest.mark.soak
def test_thousands_of_damaged_psbts_are_refused_or_read() -> None:
    for seed in range(2_000):
        survive(seed)
