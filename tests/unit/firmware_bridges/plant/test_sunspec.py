"""Walking a SunSpec device's list of models."""

import pytest

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError
from firmware_bridges.modbus.register_map import SunSpecLayout, load_map
from firmware_bridges.modbus.requests import Read
from firmware_bridges.modbus.sunspec import MARKER, SunSpecBlocks, walk

COMMON = (1, 66)
METER = (203, 105)
END = (0xFFFF, 0)


def layout() -> SunSpecLayout:
    found = load_map("sunspec_meter").sunspec
    assert found is not None
    return found


def device(base: int, models: list[tuple[int, int]]) -> dict[int, int]:
    memory = dict(enumerate(MARKER, start=base))
    at = base + 2
    for model, length in models:
        memory |= {at: model, at + 1: length}
        memory |= dict.fromkeys(range(at + 2, at + 2 + length), 0)
        at += 2 + length
    return memory


def find(memory: dict[int, int]) -> tuple[SunSpecBlocks, list[Read]]:
    search = walk(layout())
    asked = []
    read = next(search)
    while True:
        asked.append(read)
        wanted = range(read.address, read.address + read.count)
        try:
            if all(address in memory for address in wanted):
                read = search.send(tuple(memory[address] for address in wanted))
            else:
                read = search.throw(DeviceRefusedError("exception 0x02", 2))
        except StopIteration as found:
            blocks: SunSpecBlocks = found.value
            return blocks, asked


@pytest.mark.parametrize("base", [40_000, 50_000, 0])
def test_the_list_is_found_at_each_base_address(base: int) -> None:
    blocks, _ = find(device(base, [COMMON, METER, END]))
    assert blocks.meter.address == base + 2 + 68
    assert blocks.common is not None
    assert blocks.common.address == base + 2


@pytest.mark.parametrize("model", [201, 202, 203, 204])
def test_each_meter_model_is_taken(model: int) -> None:
    blocks, _ = find(device(40_000, [COMMON, (17, 12), (model, 105), END]))
    assert blocks.meter.model == model
    assert blocks.meter.read().count == 107


def test_the_walk_asks_for_headers_only() -> None:
    _, asked = find(device(40_000, [COMMON, (120, 26), METER, END]))
    assert [read.count for read in asked] == [2, 2, 2, 2]


def test_a_device_without_a_common_model_is_read_all_the_same() -> None:
    blocks, _ = find(device(40_000, [METER, END]))
    assert blocks.common is None


@pytest.mark.parametrize("models", [[COMMON, (103, 50), END], [END], [COMMON, (203, 10), END]])
def test_a_device_without_a_meter_is_malformed(models: list[tuple[int, int]]) -> None:
    with pytest.raises(MalformedReplyError, match="none of 201, 202, 203, 204"):
        find(device(40_000, models))


def test_no_marker_is_malformed() -> None:
    with pytest.raises(MalformedReplyError, match="no SunSpec marker at 40000, 50000, 0"):
        find(dict.fromkeys(range(65_536), 0x1234))


def test_a_list_without_end_ends() -> None:
    memory = dict.fromkeys(range(65_536), 0) | dict(enumerate(MARKER, start=40_000))
    with pytest.raises(MalformedReplyError):
        find(memory)


def test_a_list_that_leaves_the_address_space_ends() -> None:
    with pytest.raises(MalformedReplyError):
        find(device(50_000, [COMMON, (300, 60_000)]))


def test_a_refusal_in_the_midst_of_the_list_is_passed_on() -> None:
    memory = dict(enumerate(MARKER, start=40_000))
    with pytest.raises(DeviceRefusedError):
        find(memory)
