"""What the simulated plant devices do before any wire is involved."""

import pytest

from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.plant import ElectricalLoad, SimulatedPdu, SunSpecMeter
from firmware_bridges.simulators.plant.load import Supply
from firmware_bridges.simulators.plant.presence import Presence
from firmware_bridges.simulators.plant.words import int_words


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_energy_is_power_times_time_at_the_given_rate() -> None:
    clock = Clock()
    load = ElectricalLoad(lambda: 1_000.0, clock, rate=60.0)
    clock.now_s += 60.0
    assert load.sample().import_wh == pytest.approx(1_000.0)
    clock.now_s += 6.0
    assert load.sample().import_wh == pytest.approx(1_100.0)


def test_a_ramp_counts_its_mean() -> None:
    clock = Clock()
    power = [0.0]
    load = ElectricalLoad(lambda: power[0], clock)
    power[0] = 2_000.0
    clock.now_s += 3_600.0
    assert load.sample().import_wh == pytest.approx(1_000.0)


def test_power_that_is_fed_in_counts_as_export() -> None:
    clock = Clock()
    load = ElectricalLoad(lambda: -500.0, clock)
    clock.now_s += 7_200.0
    sample = load.sample()
    assert sample.import_wh == 0.0
    assert sample.export_wh == pytest.approx(1_000.0)


def test_current_follows_power() -> None:
    load = ElectricalLoad(lambda: 2_400.0, Clock(), supply=Supply(240.0, 60.0, 1.0))
    assert load.sample().current_a(1) == pytest.approx(10.0)
    assert load.sample().current_a(2) == pytest.approx(5.0)


def test_a_reboot_ends_when_the_boot_time_has_passed() -> None:
    clock = Clock()
    script = Script()
    powered_up = []
    presence = Presence(script, lambda: powered_up.append(clock.now_s), boot_s=5.0, clock=clock)
    assert presence.next() is None
    script.order(Misbehaviour.REBOOT)
    assert presence.next() is Misbehaviour.REBOOT
    clock.now_s += 4.9
    assert presence.next() is Misbehaviour.REBOOT
    assert powered_up == []
    clock.now_s += 0.1
    assert presence.next() is None
    assert len(powered_up) == 1
    assert script.current is None


def test_a_script_misbehaves_so_many_times() -> None:
    script = Script()
    presence = Presence(script, lambda: None)
    script.order(Misbehaviour.GARBAGE, 2)
    assert [presence.next() for _ in range(3)] == [
        Misbehaviour.GARBAGE,
        Misbehaviour.GARBAGE,
        None,
    ]


def test_a_pdu_tells_a_load_once_that_it_was_switched() -> None:
    told: list[tuple[int, bool]] = []
    pdu = SimulatedPdu(2, lambda outlet: 100.0 * outlet, lambda n, closed: told.append((n, closed)))
    pdu.write_coil(1, closed=False)
    pdu.write_coil(1, closed=False)
    assert told == [(2, False)]
    assert [pdu.power_w(1), pdu.power_w(2)] == [100.0, 0.0]
    assert pdu.input_registers() == {0x100: 100, 0x101: 0, 0x102: 0, 0x103: 100}


def test_an_order_that_lies_is_acknowledged_and_not_obeyed() -> None:
    pdu = SimulatedPdu(1, lambda _: 100.0, lambda *_: None)
    pdu.script.order(Misbehaviour.LIE, 1)
    order = bytes.fromhex("0500000000")
    assert pdu.answer(order)[0] == order
    assert pdu.closed[1]
    assert pdu.answer(order)[0] == order
    assert not pdu.closed[1]


def test_requests_that_no_device_takes_are_refused_with_the_standard_codes() -> None:
    pdu = SimulatedPdu(1, lambda _: 100.0, lambda *_: None)
    for request, reply in (
        ("0500010000", "8502"),
        ("0100000002", "8102"),
        ("0300000001", "8302"),
        ("0600000001", "8601"),
        ("0100000000", "8103"),
    ):
        assert pdu.answer(bytes.fromhex(request))[0].hex() == reply


@pytest.mark.parametrize("model", [201, 202, 203, 204])
def test_a_sunspec_list_is_as_long_as_it_says(model: int) -> None:
    meter = SunSpecMeter(ElectricalLoad(lambda: 90_000.0, Clock()), model=model)
    table = meter.holding_registers()
    at = 40_002
    models = []
    while table[at] != 0xFFFF:
        models.append(table[at])
        at += 2 + table[at + 1]
    assert models == [1, 17, model]
    assert max(table) == at + 1


def test_a_number_that_does_not_fit_its_registers_is_an_error() -> None:
    assert int_words(-2, 1) == (0xFFFE,)
    with pytest.raises(OverflowError):
        int_words(70_000, 1)
