"""The interface and its pages as the controller composes them, and people who use it."""

import hashlib
from dataclasses import dataclass
from itertools import compress
from typing import Any

import httpx2 as httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import exists, func, literal, select

from controller.access import sessions as session_store
from controller.access.desk import AccessDesk
from controller.access.factor_seal import FactorSeal
from controller.access.session_life import Stage
from controller.access.sessions import Visitor
from controller.api import problems
from controller.api.context import Context
from controller.api.cookies import SessionCookies
from controller.api.limits import BodyLimits, RequestLimits
from controller.api.v1 import router as api_router
from controller.config import AccessConfig
from controller.detection.kinds import SecurityKind
from controller.fleet.meaning import Meanings
from controller.live import LiveFeed
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, metadata, security_events
from controller.web.policy import SecurityHeaders
from controller.web.routes import router as web_router
from tests.accounts import PASSWORD

ORIGIN = "http://testserver"
API = "/api/v1"
NOW_MS = 1_764_000_000_000
_RECORDS = {
    "access_salts",
    "audit_leaves",
    "changes",
    "security_events",
    "throttles",
    "webhook_deliveries",
}
_KEPT = [table for table in metadata.sorted_tables if table.name not in _RECORDS]
_FILLED = select(*(exists(select(literal(1)).select_from(table)) for table in _KEPT))
_NOTED = {"seen_real_ms", "used_real_ms"}
"""When a session or token was last used is noted also where it was refused."""


@dataclass(slots=True)
class SetClock:
    """A clock that a test sets, real and business time alike."""

    time_ms: int = NOW_MS

    def now_ms(self) -> int:
        """Business time."""
        return self.time_ms

    def real_ms(self) -> int:
        """Real time."""
        return self.time_ms


def compose(
    storage: Storage,
    clock: SetClock,
    config: AccessConfig | None = None,
    seal: FactorSeal | None = None,
) -> FastAPI:
    """REST and pages over a database, with the middlewares of `controller.app`."""
    application = FastAPI(docs_url=None, redoc_url=None)
    problems.install(application)
    application.include_router(api_router)
    application.include_router(web_router)
    application.add_middleware(SessionCookies)
    application.add_middleware(RequestLimits, limits=BodyLimits(100_000, 20.0))
    application.add_middleware(SecurityHeaders)
    application.state.enrolment = None
    application.state.context = Context(
        storage=storage,
        clock=clock,
        access=AccessDesk(
            storage,
            clock,
            config or AccessConfig(second_factor="when_enrolled"),
            seal or FactorSeal(),
        ),
        desk=None,
        wake=lambda: None,
        live=LiveFeed(storage),
        meanings=Meanings(),
    )
    return application


@dataclass(slots=True)
class Person:
    """A browser of somebody's: it keeps cookies, and sends what our own page would send."""

    client: TestClient
    csrf: str = ""

    @classmethod
    def at(cls, application: FastAPI, address: str = "testclient") -> "Person":
        """A fresh browser."""
        client = TestClient(
            application,
            base_url=ORIGIN,
            follow_redirects=False,
            raise_server_exceptions=False,
            client=(address, 50_000),
        )
        return cls(client)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """The first step."""
        return self._take(
            self.send("POST", f"{API}/sessions", {"name": name, "password": password})
        )

    def give_code(self, code: str) -> httpx.Response:
        """The second step."""
        return self._take(self.send("POST", f"{API}/sessions/current/code", {"code": code}))

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A request of our own page."""
        sent = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self.csrf}
        return self.client.request(method, path, json=body, headers={**sent, **(headers or {})})

    def get(self, path: str) -> httpx.Response:
        """Reads."""
        return self.client.get(path)

    def _take(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            self.csrf = answer.json()["csrf"]
        return answer


def admitted(
    application: FastAPI,
    storage: Storage,
    clock: SetClock,
    user_id: int,
    stage: Stage = Stage.FULL,
) -> Person:
    """A browser with a session of the account: a whole one, as after both steps, or one of before
    the second."""
    with storage.write() as conn:
        visitor = Visitor("of the tests", "a test")
        opened = session_store.open_session(conn, user_id, stage, visitor, clock.real_ms())
    person = Person.at(application)
    person.client.cookies.set("bes_session", opened.secret, domain="testserver.local")
    person.csrf = opened.csrf
    return person


def state_of(storage: Storage) -> str:
    """A digest of everything that is stored, except of what records what was refused."""
    told = hashlib.sha256()
    with storage.read() as conn:
        filled = conn.execute(_FILLED).one()
        for table in compress(_KEPT, filled):
            columns = [column for column in table.columns if column.name not in _NOTED]
            rows = sorted(repr(tuple(row)) for row in conn.execute(select(*columns)))
            told.update(repr((table.name, rows)).encode())
    return told.hexdigest()


def told_of(storage: Storage, kind: SecurityKind) -> int:
    """How many times a kind of security event was reported."""
    with storage.read() as conn:
        query = select(func.sum(security_events.c.occurrences)).where(
            security_events.c.kind == kind.value
        )
        return int(conn.scalar(query) or 0)


def leaves(storage: Storage, kind: str) -> int:
    """How many audit leaves of a kind there are."""
    with storage.read() as conn:
        query = select(func.count()).select_from(audit_leaves).where(audit_leaves.c.kind == kind)
        return int(conn.scalar(query) or 0)
