"""The driver: finds the API a miner speaks, then leaves the rest to `RestMiner`/`GraphqlMiner`."""

from firmware_bridges.capabilities import MinerCapabilities
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    MalformedReplyError,
    NotAuthorisedError,
)
from firmware_bridges.miners.braiins.graphql_miner import GraphqlMiner
from firmware_bridges.miners.braiins.rest_miner import BASE, RestMiner
from firmware_bridges.miners.braiins.settings import Api, BraiinsSettings
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.http import HttpDevice, HttpReply
from firmware_bridges.protocol import DeviceKind, Driver, Miner
from firmware_bridges.readings import MinerReading
from shared.setpoints import Setpoint


class BraiinsMiner:
    """One miner. With `api = "auto"` the first call asks the miner; the answer is kept until a read
    fails altogether."""

    def __init__(self, settings: BraiinsSettings) -> None:
        self._settings = settings
        self._http = HttpDevice(settings.host, settings.port, deadline_s=settings.deadline_s)
        self._miner: RestMiner | GraphqlMiner | None = None

    async def capabilities(self) -> MinerCapabilities:
        """As the API found offers."""
        deadline = Deadline(self._settings.deadline_s)
        miner = await self._found(deadline)
        if isinstance(miner, GraphqlMiner):
            return miner.capabilities()
        return await miner.capabilities(deadline)

    async def read(self) -> MinerReading:
        """One snapshot."""
        deadline = Deadline(self._settings.deadline_s)
        miner = await self._found(deadline)
        try:
            return await miner.read(deadline)
        except DeviceError:
            if self._settings.api is Api.AUTO:
                self._miner = None
            raise

    async def apply(self, setpoint: Setpoint) -> None:
        """One write."""
        deadline = Deadline(self._settings.deadline_s)
        await (await self._found(deadline)).apply(setpoint, deadline)

    async def reboot(self) -> None:
        """Restarts the control board."""
        deadline = Deadline(self._settings.deadline_s)
        await (await self._found(deadline)).reboot(deadline)

    async def close(self) -> None:
        """Ends the session and forgets the API."""
        self._miner = None
        await self._http.close()

    async def _found(self, deadline: Deadline) -> RestMiner | GraphqlMiner:
        if self._miner is None:
            api = self._settings.api
            if api is Api.AUTO:
                api = await detect(self._http, deadline)
            kind = RestMiner if api is Api.REST else GraphqlMiner
            self._miner = kind(self._settings, self._http)
        return self._miner


async def detect(http: HttpDevice, deadline: Deadline) -> Api:
    """Asks for the REST API's version; a miner without one is taken for GraphQL.

    Raises `DeviceTimeoutError` or `DeviceUnreachableError` when there is no answer at all.
    """
    try:
        reply = await http.request("GET", f"{BASE}version", deadline_s=deadline.left_s())
    except (MalformedReplyError, DeviceRefusedError) as error:
        return judged(error)
    return judged(reply)


def judged(answer: HttpReply | DeviceError) -> Api:
    """Which API the answer to the version request speaks for. Pure; raises a server's failure
    (HTTP 500 and above), which speaks for none."""
    if isinstance(answer, NotAuthorisedError):
        return Api.REST  # it is there, but wants a login first
    if isinstance(answer, DeviceRefusedError) and isinstance(answer.code, int):
        if answer.code >= 500:
            raise answer
        return Api.GRAPHQL
    if isinstance(answer, DeviceError):
        return Api.GRAPHQL
    try:
        version = answer.json("version")
    except MalformedReplyError:
        return Api.GRAPHQL  # the page that older ones give for every path
    return Api.REST if isinstance(version, dict) and "major" in version else Api.GRAPHQL


def _open(settings: BraiinsSettings) -> Miner:
    return BraiinsMiner(settings)


DRIVER = Driver(
    family="braiins",
    kinds=frozenset({DeviceKind.MINER}),
    settings=BraiinsSettings,
    open=_open,
)
