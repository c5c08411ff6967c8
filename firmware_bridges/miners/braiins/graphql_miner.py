"""A miner of the GraphQL API: a thin shell of I/O round `graphql_reading`.

Source: asic-rs' `v21_09/graphql.rs` and `v21_09/web.rs`. A login sets the cookie `session_id`.
LuCI, which alone names the MAC address, has a session of its own under the same name.
"""

import asyncio

from firmware_bridges.capabilities import MinerCapabilities
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.miners.braiins import graphql_reading
from firmware_bridges.miners.braiins.settings import BraiinsSettings
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.extract import Source
from firmware_bridges.miners.http import HttpDevice
from firmware_bridges.miners.replies import Raw
from firmware_bridges.miners.secret import read_secret
from firmware_bridges.readings import NOT_REPORTED, MinerReading
from shared.measured import Measured
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

GRAPHQL = "/graphql"
LUCI = "/cgi-bin/luci"
LUCI_NETWORK = f"{LUCI}/admin/network/iface_status/lan"
SESSION_COOKIE = "session_id"
_MAC_AGE_S = 900.0

LOGIN = (
    "mutation ($username: String!, $password: String!) { auth {"
    " login(username: $username, password: $password) { ... on VoidResult { void } } } }"
)
STOP = "mutation { bosminer { stop { __typename ... on BosminerError { message } } } }"
START = "mutation { bosminer { start { __typename ... on BosminerError { message } } } }"
REBOOT = "mutation { bos { reboot { __typename ... on BosError { message } } } }"
POWER_TARGET = (
    "mutation ($input: AutotuningIn!) { bosminer { config {"
    " updateAutotuning(input: $input, apply: true) { __typename"
    " ... on AttributeError { message } ... on AutotuningError { message } } } } }"
)


class GraphqlMiner:
    """One miner; its session cookie lives in `http`."""

    def __init__(self, settings: BraiinsSettings, http: HttpDevice) -> None:
        self._settings = settings
        self._http = http
        self._logged_in = False
        self._mac: tuple[float, Measured[str]] | None = None

    async def capabilities(self, deadline: Deadline) -> MinerCapabilities:
        """The miner tells no power range, so it is the settings'."""
        return self._settings.capabilities(None)

    async def read(self, deadline: Deadline) -> MinerReading:
        """Four queries, one at a time, and every 15 minutes the MAC address."""
        sources = await self._asked(deadline)
        rejected = any(isinstance(source, NotAuthorisedError) for source in sources.values())
        if rejected and self._settings.password_file is not None:
            self._logged_in = False
            sources = await self._asked(deadline)
        reading = graphql_reading.parse_reading(sources)
        return graphql_reading.with_mac(reading, await self._known_mac(deadline))

    async def apply(self, setpoint: Setpoint, deadline: Deadline) -> None:
        """One mutation; bosminer is stopped and started, for this API cannot pause it."""
        refusal = (await self.capabilities(deadline)).why_not(setpoint)
        if refusal is not None:
            raise NotSupportedError(refusal)
        match setpoint:
            case Stop():
                await self._mutate(STOP, ("bosminer", "stop"), deadline)
            case Run():
                if self._settings.run_power_w is not None:
                    await self._target(self._settings.run_power_w, deadline)
                await self._mutate(START, ("bosminer", "start"), deadline)
            case PowerLimit(power_w):
                await self._target(power_w, deadline)
                if (await self.read(deadline)).mining is False:
                    await self._mutate(START, ("bosminer", "start"), deadline)
            case Preset():
                raise NotSupportedError("Braiins OS has no presets")

    async def _target(self, power_w: int, deadline: Deadline) -> None:
        path = ("bosminer", "config", "updateAutotuning")
        await self._mutate(POWER_TARGET, path, deadline, power_w)

    async def reboot(self, deadline: Deadline) -> None:
        """Restarts the control board; the session ends with it."""
        if self._settings.password_file is None:
            raise NotSupportedError("without a password_file this miner is only read")
        await self._mutate(REBOOT, ("bos", "reboot"), deadline)
        self._logged_in = False

    async def _asked(self, deadline: Deadline) -> dict[str, Source]:
        await self._log_in_once(deadline)
        return {
            name: graphql_reading.opened(await self._attempt(query, deadline), name)
            for name, query in graphql_reading.QUERIES.items()
        }

    async def _attempt(self, query: str, deadline: Deadline) -> Raw:
        try:
            return await self._post({"query": query}, deadline)
        except DeviceError as error:
            return error

    async def _mutate(
        self,
        mutation: str,
        path: tuple[str, ...],
        deadline: Deadline,
        power_w: int | None = None,
    ) -> None:
        body: dict[str, object] = {"query": mutation}
        if power_w is not None:
            body["variables"] = {"input": {"powerTarget": power_w}}
        await self._log_in_once(deadline)
        what = " ".join(path)
        try:
            data = graphql_reading.data_of(await self._post(body, deadline), what)
        except NotAuthorisedError:
            self._logged_in = False  # the session ended: nothing was carried out
            await self._log_in_once(deadline)
            data = graphql_reading.data_of(await self._post(body, deadline), what)
        refusal = graphql_reading.refusal_in(data, *path)
        if refusal is not None:
            raise DeviceRefusedError(f"{what}: {refusal}")

    async def _post(self, body: dict[str, object], deadline: Deadline) -> bytes:
        reply = await self._http.request(
            "POST", GRAPHQL, json_body=body, deadline_s=deadline.left_s()
        )
        return reply.body

    async def _log_in_once(self, deadline: Deadline) -> None:
        settings = self._settings
        if self._logged_in or settings.password_file is None:
            return
        password = read_secret(settings.password_file)
        body = {
            "query": LOGIN,
            "variables": {"username": settings.username, "password": password},
        }
        reply = await self._http.request(
            "POST", GRAPHQL, json_body=body, deadline_s=deadline.left_s()
        )
        graphql_reading.data_of(reply.body, "auth login")
        if SESSION_COOKIE not in reply.cookies:
            raise NotAuthorisedError("auth login: no session for this username and password")
        self._logged_in = True

    async def _known_mac(self, deadline: Deadline) -> Measured[str]:
        now = asyncio.get_running_loop().time()
        if self._mac is None or now - self._mac[0] >= _MAC_AGE_S:
            self._mac = (now, await self._asked_mac(deadline))
        return self._mac[1]

    async def _asked_mac(self, deadline: Deadline) -> Measured[str]:
        settings = self._settings
        if settings.password_file is None:
            return NOT_REPORTED
        luci = HttpDevice(settings.host, settings.port, deadline_s=settings.deadline_s)
        try:
            form = {
                "luci_username": settings.username,
                "luci_password": read_secret(settings.password_file),
            }
            await luci.submit_form(LUCI, form, deadline_s=deadline.left_s())
            reply = await luci.request("GET", LUCI_NETWORK, deadline_s=deadline.left_s())
        except DeviceError as error:
            return error.unknown()
        finally:
            await luci.close()
        return graphql_reading.mac_of(reply.body)
