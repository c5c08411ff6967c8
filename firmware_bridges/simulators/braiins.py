"""A simulated Braiins OS miner: the REST API, or GraphQL with LuCI beside it, over HTTP.

`BraiinsPersona.replay` answers reads with given bytes instead (captures, in tests): by endpoint
("miner/details") over REST, by the driver's name of the query ("system") over GraphQL, and
"network" for LuCI's interface status.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from firmware_bridges.miners.braiins.graphql_reading import NETWORK, QUERIES
from firmware_bridges.simulators.braiins_replies import BraiinsView, rest, tree
from firmware_bridges.simulators.graphql import GraphqlError, Selection, parse, select
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import SimulatedMiner
from firmware_bridges.simulators.shares import ShareCounter
from firmware_bridges.simulators.web import WebSimulator
from shared.setpoints import PowerLimit, Run, Stop

COOKIE = "session_id"
_VOID = {"__typename": "VoidResult", "void": ""}
_NAMES = {query: name for name, query in QUERIES.items()}


@dataclass(frozen=True, slots=True)
class BraiinsPersona:
    """What is particular to one simulated miner. `api` is "rest" or "graphql"; `login_s` how long a
    token or session lives by `clock` (seconds); `boot_s` how long it is gone after it was told to
    reboot, on the physics' clock."""

    api: str = "rest"
    username: str = "root"
    password: str = field(default="not-root", repr=False)
    login_s: float = 3_600.0
    boot_s: float = 0.0
    clock: Callable[[], float] = time.monotonic
    replay: Mapping[str, bytes] | None = None


class BraiinsSimulator:
    """Serves on 127.0.0.1; `port` is known after `start`."""

    def __init__(
        self,
        miner: SimulatedMiner,
        script: Script,
        persona: BraiinsPersona | None = None,
        *,
        port: int = 0,
    ) -> None:
        self.miner = miner
        self.script = script
        self.persona = persona or BraiinsPersona()
        self.view = BraiinsView(miner)
        if isinstance(miner.setpoint, Stop):
            self.view.configured = Run()
        self._shares = ShareCounter(miner)
        self._logins: dict[str, float] = {}
        self._booting = False
        routes = self._rest_routes() if self.persona.api == "rest" else self._graphql_routes()
        self._web = WebSimulator(routes, script, port=port)

    @property
    def port(self) -> int:
        """Where it serves HTTP."""
        return self._web.port

    async def start(self) -> None:
        """Begins to listen."""
        await self._web.start()

    async def stop(self) -> None:
        """Ends listening and every connection."""
        await self._web.stop()

    def _looked(self, request: web.Request) -> BraiinsView:
        """The miner now; cuts the connection while it boots or has no supply."""
        if self._booting and self.miner.uptime_s >= self.persona.boot_s:
            self._booting = False
        if (self._booting or not self.miner.powered) and request.transport is not None:
            request.transport.abort()
            raise web.HTTPServiceUnavailable
        self.view.accepted = self._shares.accepted()
        return self.view

    def _log_in(self, username: object, password: object) -> str | None:
        persona = self.persona
        if username != persona.username or password != persona.password:
            return None
        login = secrets.token_hex(16)
        self._logins[login] = persona.clock()
        return login

    def _knows(self, login: str | None) -> bool:
        given = self._logins.get(login or "")
        return given is not None and self.persona.clock() - given < self.persona.login_s

    # REST

    def _rest_routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v1/auth/login", self._rest_login),
            web.get("/api/v1/{endpoint:.+}", self._rest_get),
            web.put("/api/v1/{endpoint:.+}", self._rest_put),
        ]

    async def _rest_login(self, request: web.Request) -> web.StreamResponse:
        self._looked(request)
        asked = await _body(request)
        login = self._log_in(asked.get("username"), asked.get("password"))
        if login is None:
            return web.json_response({"message": "Invalid credentials"}, status=401)
        return web.json_response({"token": login, "timeout_s": int(self.persona.login_s)})

    async def _rest_get(self, request: web.Request) -> web.StreamResponse:
        view, endpoint = self._looked(request), request.match_info["endpoint"]
        if endpoint != "version" and not self._knows(_token(request)):
            return web.json_response({"message": "Unauthorized"}, status=401)
        replay = self.persona.replay
        if replay is not None:
            if endpoint in replay:
                return web.Response(body=replay[endpoint], content_type="application/json")
            return web.Response(status=404)
        reply = rest(view, endpoint)
        return web.Response(status=404) if reply is None else web.json_response(reply)

    async def _rest_put(self, request: web.Request) -> web.StreamResponse:
        self._looked(request)
        if not self._knows(_token(request)):
            return web.json_response({"message": "Unauthorized"}, status=401)
        endpoint, asked = request.match_info["endpoint"], await _body(request)
        answer = self._rest_write(endpoint, asked)
        if answer is None:
            return web.json_response({"message": "Bad request"}, status=400)
        return web.json_response(answer)

    def _rest_write(self, endpoint: str, asked: Mapping[str, Any]) -> object:
        lies = self.script.current is Misbehaviour.LIE
        if endpoint == "performance/power-target":
            watts = asked.get("watt")
            if not isinstance(watts, int) or not self._takes(watts):
                return None
            if not lies:
                self._target(watts)
            return {"watt": watts}
        actions = {
            "actions/pause": self._pause,
            "actions/resume": self._resume,
            "actions/stop": self._halt,
            "actions/start": self._launch,
            "actions/reboot": self._reboot,
        }
        action = actions.get(endpoint)
        if action is None:
            return None
        if not lies:
            action()
        return True

    # GraphQL and LuCI

    def _graphql_routes(self) -> list[web.RouteDef]:
        return [
            web.post("/graphql", self._graphql),
            web.post("/cgi-bin/luci", self._luci_login),
            web.get("/cgi-bin/luci/admin/network/iface_status/lan", self._luci_network),
        ]

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        view, asked = self._looked(request), await _body(request)
        query, variables = str(asked.get("query")), asked.get("variables") or {}
        replay = self.persona.replay
        if replay is not None and _NAMES.get(query) in replay:
            return web.Response(body=replay[_NAMES[query]], content_type="application/json")
        try:
            kind, selection = parse(query)
            if "auth" in selection:
                return self._graphql_login(variables)
            if kind == "query" and replay is None:
                return web.json_response({"data": select(tree(view), selection)})
            done = self._mutated(request.cookies.get(COOKIE), selection, variables)
            return web.json_response({"data": select(done, selection)})
        except GraphqlError as error:
            return web.json_response({"data": None, "errors": [{"message": str(error)}]})

    def _graphql_login(self, variables: Mapping[str, Any]) -> web.StreamResponse:
        login = self._log_in(variables.get("username"), variables.get("password"))
        if login is None:
            return web.json_response({"data": {"auth": {"login": {}}}})
        response = web.json_response({"data": {"auth": {"login": {"void": ""}}}})
        response.set_cookie(COOKIE, login, httponly=True)
        return response

    def _mutated(
        self, session: str | None, selection: Selection, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        if not self._knows(session):
            raise GraphqlError("Unauthorized: no session")
        lies = self.script.current is Misbehaviour.LIE
        asked = selection.get("bosminer", {})
        if "reboot" in selection.get("bos", {}):
            if not lies:
                self._reboot()
            return {"bos": {"reboot": _VOID}}
        for name, action in (("stop", self._halt), ("start", self._launch)):
            if name in asked:
                if not lies:
                    action()
                return {"bosminer": {name: _VOID}}
        if "updateAutotuning" in asked.get("config", {}):
            watts = variables.get("input", {}).get("powerTarget")
            result: dict[str, Any] = {"__typename": "AutotuningOut"}
            if not isinstance(watts, int) or not self._takes(watts):
                result = {"__typename": "AutotuningError", "message": "power target out of range"}
            elif not lies:
                self._target(watts)
            return {"bosminer": {"config": {"updateAutotuning": result}}}
        raise GraphqlError("no such mutation")

    async def _luci_login(self, request: web.Request) -> web.StreamResponse:
        self._looked(request)
        form = await request.post()
        login = self._log_in(form.get("luci_username"), form.get("luci_password"))
        if login is None:
            return web.Response(status=403)
        response = web.Response(status=302, headers={"Location": "/cgi-bin/luci/"})
        response.set_cookie(COOKIE, login)
        return response

    async def _luci_network(self, request: web.Request) -> web.StreamResponse:
        view, replay = self._looked(request), self.persona.replay
        if not self._knows(request.cookies.get(COOKIE)):
            return web.Response(status=403)
        if replay is not None:
            if NETWORK in replay:
                return web.Response(body=replay[NETWORK], content_type="application/json")
            return web.Response(status=404)
        return web.json_response([{"macaddr": view.miner.model.mac}])

    # what both obey

    def _takes(self, watts: int) -> bool:
        model = self.miner.model
        return model.least_power_w <= watts <= model.rated.power_w

    def _target(self, watts: int) -> None:
        self.view.configured = PowerLimit(watts)
        if self.miner.mining:
            self.miner.apply(self.view.configured)

    def _pause(self) -> None:
        self.miner.apply(Stop())

    def _resume(self) -> None:
        if self.view.started:
            self.miner.apply(self.view.configured)

    def _halt(self) -> None:
        self.view.started = False
        self.miner.apply(Stop())

    def _launch(self) -> None:
        self.view.started = True
        self.miner.apply(self.view.configured)

    def _reboot(self) -> None:
        self.miner.reboot()
        self._logins.clear()
        self._booting = self.persona.boot_s > 0


def _token(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


async def _body(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; empty when it has none."""
    if not request.can_read_body:
        return {}
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
