"""The driver: finds the API a miner speaks, then leaves the rest to `V2Miner` or `V3Miner`."""

import re
from functools import partial

from firmware_bridges.errors import DeviceError, DeviceRefusedError
from firmware_bridges.miners.cgminer import command_bytes, exchange, reply_source
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.found_api import ApiMiner, FoundApiMiner
from firmware_bridges.miners.replies import Raw
from firmware_bridges.miners.whatsminer import v2_reading, v3_reading, v3_wire
from firmware_bridges.miners.whatsminer.settings import Api, WhatsminerSettings
from firmware_bridges.miners.whatsminer.v2_miner import V2Miner
from firmware_bridges.miners.whatsminer.v3_miner import V3Miner, connected
from firmware_bridges.protocol import DeviceKind, Driver, Miner
from shared.measured import Measured, Unknown

_V3_SINCE = 20_241_101
"""Firmware of this date and later speaks API v3 (asic-rs, `whatsminer/src/firmware.rs`)."""

_DATE = re.compile(r"^(\d{8})\.")


async def _found(settings: WhatsminerSettings, deadline: Deadline) -> ApiMiner:
    api = settings.api if settings.api is not Api.AUTO else await detect(settings, deadline)
    return V3Miner(settings) if api is Api.V3 else V2Miner(settings, api)


async def detect(settings: WhatsminerSettings, deadline: Deadline) -> Api:
    """Asks `get_version` on 4028; where that says v3, or nothing, `get.device.info` on 4433.

    Raises what port 4028 ended with when neither port answers.
    """
    refused: DeviceError | None = None
    api = Api.V3
    try:
        reply = await exchange(
            settings.host, settings.port, command_bytes("get_version"), deadline.left_s()
        )
        api = judged(reply)
    except DeviceError as error:
        refused = error
    if api is not Api.V3:
        return api
    try:
        async with connected(settings, deadline) as connection:
            answer = await connection.call(v3_wire.request(v3_reading.DEVICE, "system"))
            v3_wire.message(answer, v3_reading.DEVICE)
    except DeviceError:
        if isinstance(refused, DeviceRefusedError):
            return Api.V1  # it answers, but firmware before API 1.3 knows no get_version
        if refused is not None:
            raise refused from None
        return Api.V2  # new firmware with its v3 port closed still answers v2
    return Api.V3


def judged(reply: Raw) -> Api:
    """Which API the reply to `get_version` speaks for. Pure; raises when it is none."""
    source = reply_source(reply, "get_version")
    if isinstance(source, DeviceError):
        raise source
    if _date(v2_reading.firmware({"get_version": source})) >= _V3_SINCE:
        return Api.V3
    version = v2_reading.api_version(source)
    if isinstance(version, Unknown):
        return Api.V2
    return {"1": Api.V1, "3": Api.V3}.get(version.split(".")[0], Api.V2)


def _date(firmware: Measured[str]) -> int:
    match = None if isinstance(firmware, Unknown) else _DATE.match(firmware)
    return int(match.group(1)) if match else 0


def _open(settings: WhatsminerSettings) -> Miner:
    return FoundApiMiner(
        partial(_found, settings),
        asked=settings.api is Api.AUTO,
        deadline_s=settings.deadline_s,
    )


DRIVER = Driver(
    family="whatsminer",
    kinds=frozenset({DeviceKind.MINER}),
    settings=WhatsminerSettings,
    open=_open,
)
