"""Whatever a plant device sends, the result is a reading or a typed error."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from firmware_bridges.errors import DeviceError, DeviceRefusedError
from firmware_bridges.metrics import plant_metrics
from firmware_bridges.modbus import METER, SWITCH
from firmware_bridges.modbus.decoding import Value, decode_points, plant_reading
from firmware_bridges.modbus.register_map import Point, RegisterMap, Table, load_map, shipped_maps
from firmware_bridges.modbus.requests import (
    Read,
    Request,
    WriteCoil,
    parse_reply,
    reply_size,
    request_pdu,
)
from firmware_bridges.modbus.rtu_frames import find_reply
from firmware_bridges.modbus.sunspec import MARKER, walk
from firmware_bridges.modbus.turns import Silence, Waiting, next_turn
from firmware_bridges.readings import PlantReading
from firmware_bridges.serial.line_protocol import parse_climate, parse_identity
from shared.measured import Measured, Unknown

WORD = st.integers(0, 0xFFFF) | st.sampled_from([0, 0x8000, 0xFFFF, 0x7FC0, 0xFF80, 0x7F80])
READS = st.builds(Read, st.sampled_from(Table), st.integers(0, 0xFFFF), st.integers(1, 125))
REQUESTS: st.SearchStrategy[Request] = READS | st.builds(
    WriteCoil, st.integers(0, 0xFFFF), closed=st.booleans()
)
BITS = {Table.COIL, Table.DISCRETE}


def blocks(register_map: RegisterMap) -> list[tuple[int, Sequence[Point]]]:
    found: list[tuple[int, Sequence[Point]]] = [(g.count, g.points) for g in register_map.groups]
    if register_map.sunspec is not None:
        parts = (register_map.sunspec.common, register_map.sunspec.meter)
        found += [(part.length + 2, part.points) for part in parts]
    return found


def assert_sane(reading: PlantReading) -> None:
    for _, value in plant_metrics(reading):
        if isinstance(value, float):
            assert math.isfinite(value)


@pytest.mark.parametrize("name", shipped_maps())
@given(data=st.data())
@settings(max_examples=200)
def test_any_registers_give_finite_values_or_unknown_ones(name: str, data: st.DataObject) -> None:
    register_map = load_map(name)
    values: dict[str, Measured[Value]] = {}
    for count, points in blocks(register_map):
        size = data.draw(st.integers(0, count) | st.just(count))
        registers = data.draw(st.lists(WORD, min_size=size, max_size=size))
        values |= decode_points(points, registers, register_map)
    assert set(values) == set(register_map.fields)
    assert_sane(plant_reading(values, register_map.fields))


@pytest.mark.parametrize("name", shipped_maps())
def test_registers_that_say_nothing_give_no_number(name: str) -> None:
    register_map = load_map(name)
    for _, points in blocks(register_map):
        assert all(
            isinstance(value, Unknown) for value in decode_points(points, [], register_map).values()
        )


@given(REQUESTS, st.binary(max_size=260))
@settings(max_examples=500)
def test_any_reply_gives_the_values_asked_for_or_a_typed_error(
    request: Request, noise: bytes
) -> None:
    for pdu in (noise, request_pdu(request)[:1] + noise):
        with suppress(DeviceError):
            reply = parse_reply(request, pdu)
            assert len(reply) == (request.count if isinstance(request, Read) else 0)


@given(READS, st.data())
def test_what_a_device_packs_is_what_is_read(read: Read, data: st.DataObject) -> None:
    most = 1 if read.table in BITS else 0xFFFF
    values = data.draw(st.lists(st.integers(0, most), min_size=read.count, max_size=read.count))
    if read.table in BITS:
        packed = sum(bit << at for at, bit in enumerate(values))
        body = packed.to_bytes((read.count + 7) // 8, "little")
    else:
        body = b"".join(value.to_bytes(2, "big") for value in values)
    pdu = request_pdu(read)[:1] + bytes([len(body)]) + body
    assert parse_reply(read, pdu) == tuple(values)


@given(st.integers(1, 247), REQUESTS, st.binary(max_size=300))
@settings(max_examples=500)
def test_any_bytes_on_a_line_are_judged_without_a_crash(
    unit: int, request: Request, noise: bytes
) -> None:
    found = find_reply(noise, unit, request)
    assert noise.endswith(found.rest)


@given(
    st.integers(1, 247),
    st.integers(1, 247),
    READS,
    st.integers(0, 6),
    st.binary(min_size=260, max_size=260),
)
@settings(max_examples=300)
def test_a_reply_is_found_behind_late_ones_and_only_its_own(
    unit: int, other: int, read: Read, noise: int, content: bytes
) -> None:
    body = content[: reply_size(read) - 2]
    pdu = request_pdu(read)[:1] + bytes([len(body)]) + body

    def frame(sender: int) -> bytes:
        data = bytes([sender]) + pdu
        return data + FramerRTU.compute_CRC(data).to_bytes(2, "big")

    lead = b"\x00" * noise
    if other != unit:
        assert find_reply(lead + frame(other), unit, read).pdu is None
        assert find_reply(frame(other) + lead + frame(unit), unit, read).pdu == pdu
    assert find_reply(lead + frame(unit), unit, read).pdu == pdu


@given(st.lists(WORD, min_size=2, max_size=200), st.sampled_from([40_000, 50_000, 0]))
@settings(max_examples=300)
def test_any_model_list_is_walked_to_an_end(words: list[int], base: int) -> None:
    layout = load_map("sunspec_meter").sunspec
    assert layout is not None
    memory = dict(enumerate([*MARKER, *words], start=base))
    search = walk(layout)
    with suppress(StopIteration, DeviceError):
        read = next(search)
        for _ in range(100):
            wanted = [memory.get(read.address + offset) for offset in range(read.count)]
            known = tuple(word for word in wanted if word is not None)
            if len(known) == read.count:
                read = search.send(known)
            else:
                read = search.throw(DeviceRefusedError("exception 0x02", 2))
        pytest.fail("a hundred requests and no end")


@given(st.binary(max_size=100) | st.from_regex(rb"T=.{0,6} C RH=.{0,6} %\*..\r\n", fullmatch=True))
@settings(max_examples=500)
def test_any_line_of_a_sensor_is_a_reading_or_a_typed_error(line: bytes) -> None:
    with suppress(DeviceError):
        climate = parse_climate(line)
        assert isinstance(climate.temperature_c, float | Unknown)
    with suppress(DeviceError):
        assert parse_identity(line).model


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.floats(0, 100), st.booleans()), min_size=1, max_size=20
    ),
    st.dictionaries(st.integers(1, 9), st.floats(0, 30)),
)
def test_everyone_who_waits_gets_a_turn(
    entries: list[tuple[int, float, bool]], penalties: dict[int, float]
) -> None:
    waiting = {
        number: Waiting(number, unit, arrived_s, urgent)
        for number, (unit, arrived_s, urgent) in enumerate(entries)
    }
    silences = {unit: Silence(1, 0.0, penalty_s) for unit, penalty_s in penalties.items()}
    order = []
    while (chosen := next_turn(waiting.values(), silences)) is not None:
        order.append(waiting.pop(chosen.number))
    assert len(order) == len(entries)
    assert [one.urgent for one in order] == sorted((one.urgent for one in order), reverse=True)


@given(st.binary(max_size=400), st.sampled_from(shipped_maps()))
@settings(max_examples=60)
def test_a_server_that_sends_anything_is_a_reading_or_a_typed_error(
    content: bytes, name: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            request = await reader.read(12)
            writer.write(request[:4] + content if len(content) % 2 else content)
            await writer.drain()
        writer.close()

    async def read() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        driver = METER if load_map(name).kind == "meter" else SWITCH
        settings_ = {"map": name, "unit": 1, "host": "127.0.0.1", "port": port, "deadline_s": 30}
        device = driver.open(driver.settings.model_validate(settings_))
        with suppress(DeviceError):
            reading = await device.read()
            assert isinstance(reading, PlantReading)
            assert_sane(reading)
        await device.close()
        server.close()

    asyncio.run(read())
