"""What a simulated Antminer says, in the form of real replies. Values come from the physics."""

import json
from typing import Any

from firmware_bridges.simulators.cgminer import status
from firmware_bridges.simulators.physics import AMBIENT_C, SimulatedMiner

DESCRIPTION = "cgminer 1.0.0"
COMPILED = "Mon Mar  3 09:20:00 UTC 2025"
SLOTS = 4
RATED_MHZ = 545

Conf = dict[str, Any]


def factory_configuration() -> Conf:
    """A configuration as get_miner_conf.cgi shows it."""
    pools = [
        {"url": f"stratum+tcp://pool-{letter}.example:3333", "user": "farm.rig", "pass": "x"}
        for letter in "abc"
    ]
    return {
        "pools": pools,
        "api-listen": True,
        "api-network": True,
        "api-groups": "A:stats:pools:devs:summary:version",
        "api-allow": "A:0/0,W:*",
        "bitmain-fan-ctrl": False,
        "bitmain-fan-pwm": "100",
        "bitmain-use-vil": True,
        "bitmain-freq": str(RATED_MHZ),
        "bitmain-voltage": "1360",
        "bitmain-ccdelay": "0",
        "bitmain-pwth": "0",
        "bitmain-work-mode": "0",
        "bitmain-freq-level": "100",
    }


class AntminerView:
    """Reads the physics and the configuration; makes the replies."""

    def __init__(self, miner: SimulatedMiner) -> None:
        self._miner = miner
        self.configuration = factory_configuration()
        self.accepted = 0

    def api(self, command: str) -> bytes | None:
        """The reply of the 4028 API; None for a command that it does not know."""
        match command:
            case "version":
                return _reply("VERSION", [self._version()], 22, "CGMiner versions")
            case "stats":
                header = {key: value for key, value in self._version().items() if key != "API"}
                return _reply("STATS", [header, self._stats()], 70, "CGMiner stats")
            case "summary":
                return _reply("SUMMARY", [self._summary()], 11, "Summary")
            case "pools":
                pools = self._pools()
                return _reply("POOLS", pools, 7, f"{len(pools)} Pool(s)")
            case _:
                return None

    def system_info(self) -> Conf:
        """get_system_info.cgi."""
        model = self._miner.model
        return {
            "minertype": model.model,
            "nettype": "DHCP",
            "netdevice": "eth0",
            "macaddr": model.mac,
            "hostname": "Antminer",
            "ipaddress": "127.0.0.1",
            "netmask": "255.0.0.0",
            "gateway": "",
            "dnsservers": "",
            "system_mode": "GNU/Linux",
            "system_kernel_version": "Linux 4.9.113",
            "system_filesystem_version": model.firmware,
            "firmware_type": "Release",
            "serinum": model.serial,
        }

    def web_summary(self) -> Conf:
        """summary.cgi: the four checks that the miner's own page shows."""
        hashing = self._miner.point().hashrate_ths > 0 or not self._miner.mining
        checks = [("rate", hashing), ("network", True), ("fans", True), ("temp", True)]
        return {
            "STATUS": {"STATUS": "S", "Msg": "summary", "api_version": "1.0.0"},
            "INFO": {"miner_version": "uart_trans.1.3", "CompileTime": COMPILED},
            "SUMMARY": [
                {
                    "elapsed": self._miner.uptime_s,
                    "rate_5s": self._ghs(),
                    "rate_unit": "GH/s",
                    "status": [
                        {
                            "type": kind,
                            "status": "s" if good else "e",
                            "code": 0 if good else 1,
                            "msg": "" if good else "no hashrate",
                        }
                        for kind, good in checks
                    ],
                }
            ],
        }

    def _version(self) -> dict[str, Any]:
        return {
            "BMMiner": "1.0.0",
            "API": "3.1",
            "Miner": "uart_trans.1.3",
            "CompileTime": COMPILED,
            "Type": self._miner.model.model,
        }

    def _ghs(self) -> float:
        return round(self._miner.point().hashrate_ths * 1e3, 2)

    def _stats(self) -> dict[str, Any]:
        miner, model = self._miner, self._miner.model
        share = miner.point().hashrate_ths / model.rated.hashrate_ths
        stats: dict[str, Any] = {
            "STATS": 0,
            "ID": "BTM_SOC0",
            "Elapsed": miner.uptime_s,
            "GHS 5s": self._ghs(),
            "GHS av": self._ghs(),
            "rate_30m": self._ghs(),
            "rate_unit": "GH",
            "Mode": 2,
            "miner_count": model.boards,
            "frequency": int(RATED_MHZ * share),
            "fan_num": model.fans,
        }
        for fan in range(1, model.fans + 1):
            stats[f"fan{fan}"] = miner.fan_speed_rpm()
        for slot in range(1, SLOTS + 1):
            stats |= self._chain(slot, share, present=slot <= model.boards)
        stats["total_acn"] = model.boards * model.chips_per_board
        stats["total_rateideal"] = model.rated.hashrate_ths * 1e3
        stats["miner_version"] = "uart_trans.1.3"
        stats["miner_id"] = model.serial.lower()
        return stats

    def _chain(self, slot: int, share: float, *, present: bool) -> dict[str, Any]:
        if not present:
            return {
                f"freq{slot}": 0,
                f"chain_acn{slot}": 0,
                f"chain_acs{slot}": "",
                f"chain_hw{slot}": 0,
                f"chain_rate{slot}": "",
                f"temp_pcb{slot}": "0-0-0-0",
                f"temp_chip{slot}": "0-0-0-0",
            }
        miner, model = self._miner, self._miner.model
        chip_c = int(miner.chip_temperature_c()) - slot
        board_c = int(AMBIENT_C + (chip_c - AMBIENT_C) * 0.85)
        return {
            f"freq{slot}": int(RATED_MHZ * share),
            f"chain_acn{slot}": model.chips_per_board,
            f"chain_acs{slot}": "o" * model.chips_per_board,
            f"chain_hw{slot}": 10 * slot,
            f"chain_rate{slot}": f"{self._ghs() / model.boards:.2f}",
            f"temp_pcb{slot}": f"{board_c}-{board_c - 9}-{board_c - 1}-{board_c - 8}",
            f"temp_chip{slot}": f"{chip_c}-{chip_c - 9}-{chip_c - 1}-{chip_c - 8}",
        }

    def _summary(self) -> dict[str, Any]:
        return {
            "Elapsed": self._miner.uptime_s,
            "GHS 5s": self._ghs(),
            "GHS av": self._ghs(),
            "GHS 30m": self._ghs(),
            "Accepted": self.accepted,
            "Rejected": 0,
            "Hardware Errors": 0,
        }

    def _pools(self) -> list[dict[str, Any]]:
        return [
            {
                "POOL": at,
                "URL": pool.get("url", ""),
                "Status": "Alive",
                "Priority": at,
                "Accepted": self.accepted if at == 0 else 0,
                "Rejected": 0,
                "Stale": 0,
                "User": pool.get("user", ""),
                "Stratum Active": at == 0 and self._miner.mining,
            }
            for at, pool in enumerate(self.configuration["pools"])
        ]


def _reply(name: str, elements: list[dict[str, Any]], code: int, message: str) -> bytes:
    reply = {"STATUS": status("S", code, message, DESCRIPTION), name: elements, "id": 1}
    return json.dumps(reply).encode()
