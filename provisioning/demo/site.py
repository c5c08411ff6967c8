"""The simulated site: 24 miners of four families, two meters, a PDU, a sensor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from firmware_bridges.simulators.antminer import AntminerPersona, AntminerSimulator
from firmware_bridges.simulators.braiins import BraiinsPersona, BraiinsSimulator
from firmware_bridges.simulators.luxos import LuxosSimulator
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import AMBIENT_C, MinerModel, Point, SimulatedMiner
from firmware_bridges.simulators.plant import (
    ElectricalLoad,
    LineSensor,
    ModbusTcpServer,
    Pm5000,
    RtuLine,
    Sdm630,
    SimulatedPdu,
)
from firmware_bridges.simulators.whatsminer import WhatsminerPersona, WhatsminerSimulator

HOST = "127.0.0.1"
MAIN_METER = "meter-main"
PASSWORD = "throw-away"  # noqa: S105 - of simulated devices that live as long as this process
_PER_FAMILY = 6
_OVERHEAD_W = 2_400.0
_HALL_UNIT, _MAIN_UNIT, _PDU_UNIT = 3, 1, 2

Table = dict[str, Any]


class Simulator(Protocol):
    """What every simulator can do."""

    async def start(self) -> None:
        """Begins to answer."""
        ...

    async def stop(self) -> None:
        """Ends."""
        ...


@dataclass(frozen=True, slots=True)
class Family:
    """Six machines of one family: their model, and the operating points a configuration names."""

    driver: str
    model: MinerModel
    points: tuple[Table, ...] = ()


def _model(name: str, firmware: str, rated: Point, presets: Mapping[str, Point]) -> MinerModel:
    return MinerModel(
        model=name, firmware=firmware, serial="", mac="", rated=rated, presets=dict(presets)
    )


FAMILIES = (
    Family(
        "antminer",
        _model(
            "Antminer S19 Pro",
            "49.0.1.3",
            Point(3_250.0, 110.0),
            {"low_power": Point(2_270.0, 83.0)},
        ),
        ({"preset": "low_power", "power_w": 2_270, "hashrate_ths": "83"},),
    ),
    Family(
        "luxos",
        _model(
            "Antminer S19j Pro",
            "2025.4.8",
            Point(3_050.0, 100.0),
            {"365MHz": Point(1_850.0, 68.0), "450MHz": Point(2_350.0, 83.0)},
        ),
    ),
    Family(
        "whatsminer",
        _model(
            "M50S",
            "20230911.12.Rel2",
            Point(3_276.0, 126.0),
            {"low": Point(2_400.0, 98.0), "normal": Point(3_276.0, 126.0)},
        ),
        ({"preset": "low", "power_w": 2_400, "hashrate_ths": "98"},),
    ),
    Family(
        "braiins",
        _model("Antminer S19", "25.07", Point(3_250.0, 95.0), {}),
        ({"power_limit_w": 2_500, "power_w": 2_500, "hashrate_ths": "75"},),
    ),
)


class DemoSite:
    """The machines, on loopback. `clock` gives seconds of the played day."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._password_file = folder / "device-password"
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(f"{PASSWORD}\n", encoding="ascii")
        self._clock = clock
        self.miners = [
            SimulatedMiner(_numbered(family.model, number), clock)
            for number, family in enumerate(f for f in FAMILIES for _ in range(_PER_FAMILY))
        ]
        self._antminers = [AntminerSimulator(m, Script(), _ANTMINER) for m in self._of(0)]
        self._luxos = [LuxosSimulator(miner, Script()) for miner in self._of(1)]
        self._whatsminers = [WhatsminerSimulator(m, Script(), _WHATSMINER) for m in self._of(2)]
        self._braiins = [BraiinsSimulator(m, Script(), _BRAIINS) for m in self._of(3)]
        pdu = SimulatedPdu(len(self.miners), self._outlet_power_w, self._switch)
        main = ElectricalLoad(self.power_w, clock)
        hall = ElectricalLoad(self._hall_power_w, clock)
        self._tcp = ModbusTcpServer({_MAIN_UNIT: Pm5000(main), _PDU_UNIT: pdu})
        self._line = RtuLine({_HALL_UNIT: Sdm630(hall)})
        self._sensor = LineSensor(self._hall_temperature_c, lambda: 41.0)

    async def start(self) -> None:
        """Every machine begins to answer."""
        for simulator in self._simulators():
            await simulator.start()

    async def stop(self) -> None:
        """Every machine ends."""
        for simulator in self._simulators():
            await simulator.stop()

    def power_w(self) -> float:
        """What the site draws: its miners, fans and control boards."""
        return sum(miner.point().power_w for miner in self.miners) + _OVERHEAD_W

    @property
    def rated(self) -> Point:
        """What the site draws and hashes when everything runs."""
        models = [miner.model.rated for miner in self.miners]
        power_w = sum(point.power_w for point in models) + _OVERHEAD_W
        return Point(power_w, sum(point.hashrate_ths for point in models))

    def devices(self) -> list[Table]:
        """Their tables in the agent's configuration; call it after `start`."""
        return [*self._miner_tables(), *self._plant_tables()]

    def _of(self, family: int) -> list[SimulatedMiner]:
        return self.miners[family * _PER_FAMILY : (family + 1) * _PER_FAMILY]

    def _simulators(self) -> list[Simulator]:
        return [
            *self._antminers,
            *self._luxos,
            *self._whatsminers,
            *self._braiins,
            self._tcp,
            self._line,
            self._sensor,
        ]

    def _miner_tables(self) -> list[Table]:
        password = {"password_file": str(self._password_file)}
        settings: list[Table] = [
            *(
                {"api_port": s.api_port, "http_port": s.http_port, "low_power": True, **password}
                for s in self._antminers
            ),
            *({"port": s.port, "run_profile": "default"} for s in self._luxos),
            *(
                {"port": s.port, "api": "v2", "settle_s": 1.0, "run_preset": "normal", **password}
                | {"least_power_w": 1_200, "most_power_w": 3_300}
                for s in self._whatsminers
            ),
            *(
                {"port": s.port, "api": "rest", "settle_s": 1.0, "run_power_w": 3_250, **password}
                for s in self._braiins
            ),
        ]
        families = [family for family in FAMILIES for _ in range(_PER_FAMILY)]
        return [
            {
                "name": f"miner-{number:02}",
                "kind": "miner",
                "driver": family.driver,
                "rated_power_w": int(family.model.rated.power_w),
                "rated_hashrate_ths": str(family.model.rated.hashrate_ths),
                "idle_power_w": 45,
                "points": list(family.points),
                "outlet": f"pdu-1/{number}",
                "settings": {"host": HOST, "deadline_s": 5.0, **own},
            }
            for number, (family, own) in enumerate(zip(families, settings, strict=True), start=1)
        ]

    def _plant_tables(self) -> list[Table]:
        tcp = {"host": HOST, "port": self._tcp.port, "deadline_s": 3.0}
        line = {"serial_port": self._line.path, "baudrate": 19_200, "deadline_s": 3.0}
        return [
            _meter(MAIN_METER, {"map": "schneider_pm5000", "unit": _MAIN_UNIT, **tcp}),
            _meter("meter-hall", {"map": "eastron_sdm630", "unit": _HALL_UNIT, **line}),
            {
                "name": "pdu-1",
                "kind": "switch",
                "driver": "modbus-switch",
                "settings": {"map": "metered_pdu_24", "unit": _PDU_UNIT, **tcp},
            },
            {
                "name": "sensor-1",
                "kind": "sensor",
                "driver": "line-sensor",
                "settings": {"serial_port": self._sensor.path, "deadline_s": 3.0},
            },
        ]

    def _outlet_power_w(self, outlet: int) -> float:
        return self.miners[outlet - 1].point().power_w

    def _switch(self, outlet: int, closed: bool) -> None:  # noqa: FBT001 - the simulator's call
        self.miners[outlet - 1].power(on=closed)

    def _hall_power_w(self) -> float:
        half = len(self.miners) // 2
        return sum(miner.point().power_w for miner in self.miners[half:])

    def _hall_temperature_c(self) -> float:
        return AMBIENT_C + 8.0 * self.power_w() / self.rated.power_w


_ANTMINER = AntminerPersona(password=PASSWORD)
_WHATSMINER = WhatsminerPersona(api="v2", password=PASSWORD)
_BRAIINS = BraiinsPersona(api="rest", password=PASSWORD)


def _meter(name: str, settings: Table) -> Table:
    return {"name": name, "kind": "meter", "driver": "modbus-meter", "settings": settings}


def _numbered(model: MinerModel, number: int) -> MinerModel:
    return MinerModel(
        model=model.model,
        firmware=model.firmware,
        serial=f"DEMO{number + 1:06}",
        mac=f"02:00:00:00:00:{number + 1:02X}",
        rated=model.rated,
        presets=model.presets,
        least_power_w=model.least_power_w,
        ramp_s=model.ramp_s,
    )
