"""What a simulated Braiins OS miner says, in the form of real replies. Values come from physics."""

from collections.abc import Callable
from typing import Any

from firmware_bridges.simulators.physics import AMBIENT_C, SimulatedMiner
from shared.setpoints import PowerLimit, Setpoint

Reply = Any

POOLS = (
    ("stratum+tcp://pool-a.example:3333", True),
    ("stratum+tcp://pool-b.example:3333", False),
)
WORKER = "farm.worker"
STATUS_NOT_STARTED, STATUS_NORMAL, STATUS_PAUSED = 1, 2, 3
_RATED_MHZ = 500.0
_SPANS = (
    "last_5s",
    "last_15s",
    "last_30s",
    "last_1m",
    "last_5m",
    "last_15m",
    "last_30m",
    "last_1h",
    "last_24h",
    "since_restart",
)


class BraiinsView:
    """A miner as this family sees it: what bosminer does and which target stays configured."""

    def __init__(self, miner: SimulatedMiner) -> None:
        self.miner = miner
        self.configured: Setpoint = miner.setpoint
        self.started = True
        self.accepted = 0

    @property
    def status(self) -> int:
        """MinerStatus of the public API."""
        if not self.started:
            return STATUS_NOT_STARTED
        return STATUS_NORMAL if self.miner.mining else STATUS_PAUSED

    def target_w(self) -> int:
        """The power target in force."""
        if isinstance(self.configured, PowerLimit):
            return self.configured.power_w
        return int(self.miner.model.rated.power_w)

    def board_hashrate_ths(self) -> float:
        """One board's part."""
        return self.miner.point().hashrate_ths / self.miner.model.boards

    def board_temperature_c(self) -> float:
        """Boards stay cooler than chips."""
        return round(AMBIENT_C + (self.miner.chip_temperature_c() - AMBIENT_C) * 0.7, 2)

    def frequency_mhz(self) -> float:
        """Follows the hashrate."""
        share = self.miner.point().hashrate_ths / self.miner.model.rated.hashrate_ths
        return round(_RATED_MHZ * share, 3)


def rest(view: BraiinsView, endpoint: str) -> Reply:
    """The reply to a GET below /api/v1/; None for an endpoint that there is not."""
    miner = view.miner
    makers: dict[str, Callable[[], Reply]] = {
        "version": lambda: {"major": 1, "minor": 0, "patch": 0},
        "miner/details": lambda: _details(view),
        "miner/stats": lambda: _stats(view),
        "miner/hw/hashboards": lambda: {
            "hashboards": [_board(view, place) for place in range(miner.model.boards)]
        },
        "cooling/state": lambda: _cooling(view),
        "pools": lambda: [{"name": "default", "pools": _pools(view), "strategy": None}],
        "performance/tuner-state": lambda: _tuner(view),
        "miner/errors": lambda: {"errors": []},
        "configuration/constraints": lambda: _constraints(view),
        "configuration/miner": lambda: _configuration(view),
        "network": lambda: _network(view),
        "actions/locate": lambda: False,
    }
    maker = makers.get(endpoint)
    return None if maker is None else maker()


def tree(view: BraiinsView) -> Reply:
    """Everything that a GraphQL query may select from; no `info` while bosminer does not run."""
    miner = view.miner
    boards = [_solver(view, place) for place in range(miner.model.boards)]
    info = {
        "workSolver": {
            "realHashrate": {"mhs5S": miner.point().hashrate_ths * 1e6},
            "nominalMhs": miner.model.rated.hashrate_ths * 1e6,
            "childSolvers": boards,
        },
        "fans": [
            {"name": str(place), "rpm": miner.fan_speed_rpm(), "speed": 100}
            for place in range(miner.model.fans)
        ],
        "summary": {
            "power": {"approxConsumptionW": int(miner.point().power_w), "limitW": view.target_w()}
        },
        "poolGroups": [{"name": "group", "pools": _graphql_pools(view)}],
    }
    tuning = {"mode": "POWER_TARGET", "powerTarget": view.target_w(), "hashrateTarget": None}
    return {
        "bos": {
            "hostname": "miner",
            "faultLight": False,
            "info": {"version": {"full": miner.model.firmware}},
            "uptime": {"durationS": miner.uptime_s},
        },
        "bosminer": {
            "info": info if view.started else None,
            "config": {"autotuning": tuning},
        },
    }


def _details(view: BraiinsView) -> Reply:
    model = view.miner.model
    return {
        "uid": model.serial,
        "miner_identity": {"brand": 1, "name": model.model, "miner_model": model.model},
        "bos_mode": 4,
        "bos_version": {"current": model.firmware, "bos_plus": True},
        "hostname": "miner",
        "mac_address": model.mac,
        "serial_number": model.serial,
        "status": view.status,
        "sticker_hashrate": _ghs(model.rated.hashrate_ths),
        "system_uptime": view.miner.uptime_s,
        "system_uptime_s": view.miner.uptime_s,
        "bosminer_uptime_s": view.miner.uptime_s,
    }


def _stats(view: BraiinsView) -> Reply:
    point = view.miner.point()
    efficiency = point.power_w / point.hashrate_ths if point.hashrate_ths else 0.0
    return {
        "miner_stats": _hashrates(point.hashrate_ths, view.miner.model.rated.hashrate_ths),
        "pool_stats": _shares(view.accepted),
        "power_stats": {
            "approximated_consumption": {"watt": int(point.power_w)},
            "efficiency": {"joule_per_terahash": efficiency},
        },
    }


def _hashrates(now_ths: float, nominal_ths: float) -> Reply:
    return {
        "error_hashrate": {"megahash_per_second": 0.0},
        "found_blocks": 0,
        "nominal_hashrate": _ghs(nominal_ths),
        "real_hashrate": {span: _ghs(now_ths) for span in _SPANS},
    }


def _board(view: BraiinsView, place: int) -> Reply:
    model = view.miner.model
    return {
        "id": str(place + 1),
        "enabled": True,
        "board_name": "BHB56801",
        "chips_count": model.chips_per_board,
        "serial_number": f"{model.serial}B{place}",
        "board_temp": {"degree_c": view.board_temperature_c()},
        "lowest_inlet_temp": {"degree_c": AMBIENT_C + 8.0},
        "highest_outlet_temp": {"degree_c": view.board_temperature_c()},
        "highest_chip_temp": {
            "id": place + 1,
            "location": 1,
            "temperature": {"degree_c": round(view.miner.chip_temperature_c(), 2)},
        },
        "current_frequency": {"hertz": view.frequency_mhz() * 1e6},
        "current_voltage": {"volt": 12.9 if view.miner.mining else 0.0},
        "stats": _hashrates(view.board_hashrate_ths(), model.rated.hashrate_ths / model.boards),
    }


def _cooling(view: BraiinsView) -> Reply:
    return {
        "fans": [
            {"position": place, "rpm": view.miner.fan_speed_rpm(), "target_speed_ratio": 1.0}
            for place in range(view.miner.model.fans)
        ],
        "highest_temperature": {
            "id": None,
            "location": 1,
            "temperature": {"degree_c": round(view.miner.chip_temperature_c(), 2)},
        },
    }


def _pools(view: BraiinsView) -> list[Reply]:
    return [
        {
            "uid": f"pool{place}",
            "url": url,
            "user": WORKER,
            "enabled": True,
            "alive": True,
            "active": used and view.miner.mining,
            "stats": _shares(view.accepted if used else 0),
        }
        for place, (url, used) in enumerate(POOLS)
    ]


def _shares(accepted: int) -> Reply:
    return {"accepted_shares": accepted, "rejected_shares": 0, "stale_shares": 0}


def _tuner(view: BraiinsView) -> Reply:
    target = {"watt": view.target_w()}
    return {
        "overall_tuner_state": 2,
        "mode_state": {"powertargetmodestate": {"current_target": target, "profile": None}},
    }


def _constraints(view: BraiinsView) -> Reply:
    model = view.miner.model
    rated = {"watt": int(model.rated.power_w)}
    target = {"min": {"watt": int(model.least_power_w)}, "default": rated, "max": rated}
    return {"tuner_constraints": {"power_target": target, "enabled": {"default": True}}}


def _configuration(view: BraiinsView) -> Reply:
    tuner = {
        "enabled": True,
        "tuner_mode": 1,
        "power_target": {"watt": view.target_w()},
        "hashrate_target": None,
    }
    return {"pool_groups": [], "tuner": tuner}


def _network(view: BraiinsView) -> Reply:
    return {
        "name": "eth0",
        "hostname": "miner",
        "mac_address": view.miner.model.mac,
        "protocol": 1,
        "networks": [{"address": "127.0.0.1", "netmask": "255.0.0.0"}],
    }


def _solver(view: BraiinsView, place: int) -> Reply:
    model = view.miner.model
    return {
        "name": str(place + 6),
        "realHashrate": {"mhs5S": view.board_hashrate_ths() * 1e6},
        "nominalMhs": model.rated.hashrate_ths * 1e6 / model.boards,
        "hwDetails": {
            "chips": model.chips_per_board,
            "frequencyMhz": view.frequency_mhz(),
            "voltageV": 9.1,
        },
        "temperatures": [
            {"name": "Board", "degreesC": view.board_temperature_c()},
            {"name": "Chip", "degreesC": round(view.miner.chip_temperature_c(), 3)},
        ],
    }


def _graphql_pools(view: BraiinsView) -> list[Reply]:
    return [
        {
            "url": url,
            "user": WORKER,
            "status": "ALIVE",
            "active": used,
            "shares": {
                "acceptedSolutions": view.accepted if used else 0,
                "rejectedSolutions": 0,
            },
        }
        for url, used in POOLS
    ]


def _ghs(hashrate_ths: float) -> Reply:
    return {"gigahash_per_second": hashrate_ths * 1e3}
