"""The driver: finds the API a miner speaks, then leaves the rest to `RestMiner`/`GraphqlMiner`."""

from functools import partial

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
from firmware_bridges.miners.found_api import ApiMiner, FoundApiMiner
from firmware_bridges.miners.http import HttpDevice, HttpReply
from firmware_bridges.protocol import DeviceKind, Driver, Miner


async def _found(settings: BraiinsSettings, http: HttpDevice, deadline: Deadline) -> ApiMiner:
    api = settings.api if settings.api is not Api.AUTO else await detect(http, deadline)
    return RestMiner(settings, http) if api is Api.REST else GraphqlMiner(settings, http)


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
    http = HttpDevice(settings.host, settings.port, deadline_s=settings.deadline_s)
    return FoundApiMiner(
        partial(_found, settings, http),
        asked=settings.api is Api.AUTO,
        deadline_s=settings.deadline_s,
        close=http.close,
    )


DRIVER = Driver(
    family="braiins",
    kinds=frozenset({DeviceKind.MINER}),
    settings=BraiinsSettings,
    open=_open,
)
