"""The guard at every route: which permission it needs, and what of the data is in reach.

    FleetReader = Annotated[Permit, Depends(Needs(Permission.FLEET_READ))]

    @router.get("/nodes")
    def list_nodes(context: ContextDep, permit: FleetReader) -> ...:
        query = select(nodes).where(permit.on_sites(nodes.c.site_id))

A permission for the company only is asked for on the company. Any other is asked for somewhere,
and the route keeps to the `Permit`'s scopes: what is out of reach is not there (404). A route
without `Needs` or `Open` makes a test fail.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import WebSocketException
from sqlalchemy import ColumnElement, Connection, select, true
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from controller.access.callers import Caller, SessionRef
from controller.access.permissions import COMPANY, MEANINGS, Permission, ScopeKind, site_scope
from controller.access.records import suspicious
from controller.access.session_life import Stage
from controller.api.context import Context, ContextDep, address_of, authenticated
from controller.api.problems import ProblemError
from controller.detection.kinds import SecurityKind
from controller.storage.tables import nodes

POLICY_VIOLATION = 1008
_MAX_PATH = 200


@dataclass(frozen=True, slots=True)
class Permit:
    """A caller who has the permission, and where he has it."""

    caller: Caller
    permission: Permission

    @property
    def actor(self) -> str:
        """As audit leaves name the caller."""
        return self.caller.actor

    @property
    def sites(self) -> frozenset[str] | None:
        """The sites in reach; None: every one."""
        return self.caller.sites(self.permission)

    def on_sites(self, site_id: ColumnElement[str]) -> ColumnElement[bool]:
        """The condition that a row's site is in reach."""
        sites = self.sites
        return true() if sites is None else site_id.in_(sorted(sites))

    def on_nodes(self, node: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition that a row's node stands on a site in reach."""
        sites = self.sites
        if sites is None:
            return true()
        return node.in_(select(nodes.c.name).where(nodes.c.site_id.in_(sorted(sites))))

    def reaches_site(self, site_id: str) -> bool:
        """Whether a site is in reach."""
        return self.caller.may(self.permission, site_scope(site_id))

    def reaches_node(self, conn: Connection, node: str) -> bool:
        """Whether a node's site is in reach; an unknown node is in the company's reach only."""
        sites = self.sites
        if sites is None:
            return True
        site_id = conn.scalar(select(nodes.c.site_id).where(nodes.c.name == node))
        return site_id is not None and site_id in sites


@dataclass(frozen=True, slots=True)
class Open:
    """Marks a route that needs no permission, and why not."""

    reason: str

    def __call__(self) -> None:
        """Lets everybody in."""


class Lack(StrEnum):
    """What a person has yet to do after signing in, before anything else is open."""

    OWN_PASSWORD = "first password not changed"  # noqa: S105 - a reason
    FACTOR = "second factor not set up"


LACK_TEXTS: Mapping[Lack, str] = MappingProxyType(
    {
        Lack.OWN_PASSWORD: "change your first password first",
        Lack.FACTOR: "set up a second factor first",
    }
)


def _lacks(session: SessionRef | None) -> Iterator[Lack]:
    if session is not None and session.has_first_password:
        yield Lack.OWN_PASSWORD
    if session is not None and session.stage is Stage.ENROLLING:
        yield Lack.FACTOR


@dataclass(frozen=True, slots=True)
class Needs:
    """The dependency that lets in who has the permission; 401, or 403 with a record, otherwise.

    `even_without` is for the few routes that a person needs to make his account whole.
    """

    permission: Permission
    even_without: frozenset[Lack] = frozenset()

    def __call__(self, connection: HTTPConnection, context: ContextDep) -> Permit:
        """The permit of the caller."""
        try:
            return self.permit(connection, context)
        except ProblemError as problem:
            if connection.scope["type"] == "websocket":
                raise WebSocketException(POLICY_VIOLATION, problem.detail) from problem
            raise

    def permit(self, connection: HTTPConnection, context: Context) -> Permit:
        """The same, with `ProblemError` on every kind of connection."""
        caller = authenticated(connection, context)
        if caller.session is not None and caller.session.stage is Stage.PASSWORD:
            self.tell_half_way(connection, context, caller, "second factor not shown")
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "the second factor is awaited")
        for lack in _lacks(caller.session):
            if lack not in self.even_without:
                self.tell_half_way(connection, context, caller, lack.value)
                raise ProblemError(HTTPStatus.FORBIDDEN, LACK_TEXTS[lack])
        if not self.is_met_by(caller):
            record_refused(connection, context, caller, self.permission)
            detail = f"this needs the permission {self.permission.value}"
            raise ProblemError(HTTPStatus.FORBIDDEN, detail)
        return Permit(caller, self.permission)

    def tell_half_way(
        self, connection: HTTPConnection, context: Context, caller: Caller, reason: str
    ) -> None:
        """Records it: our own pages ask for nothing here before a session is whole."""
        context.access.tell_half_way(caller.user_id, address_of(connection), reason)

    def is_met_by(self, caller: Caller) -> bool:
        """Whether the caller has the permission, on the company where it is for the company."""
        if MEANINGS[self.permission].scopes == {ScopeKind.COMPANY}:
            return caller.may(self.permission, COMPANY)
        return caller.may_somewhere(self.permission)


@dataclass(frozen=True, slots=True)
class PageNeeds(Needs):
    """As `Needs`, for pages: who is not signed in is sent to where he can."""

    def __call__(self, connection: HTTPConnection, context: ContextDep) -> Permit:
        """The permit of the caller."""
        try:
            return self.permit(connection, context)
        except ProblemError as problem:
            if problem.status == HTTPStatus.UNAUTHORIZED:
                raise _elsewhere("/sign-in") from problem
            if problem.detail in LACK_TEXTS.values():
                raise _elsewhere("/account") from problem
            raise

    def tell_half_way(
        self, connection: HTTPConnection, context: Context, caller: Caller, reason: str
    ) -> None:
        """Records nothing: whoever opens a page before the second step is led back to it."""


def _elsewhere(path: str) -> HTTPException:
    return HTTPException(HTTPStatus.SEE_OTHER, "elsewhere", {"Location": path})


def declared(dependant: Dependant) -> Iterator[Needs | Open]:
    """What a route declares, found in its dependencies."""
    if isinstance(dependant.call, Needs | Open):
        yield dependant.call
    for further in dependant.dependencies:
        yield from declared(further)


def record_refused(
    connection: HTTPConnection, context: Context, caller: Caller, permission: Permission
) -> None:
    """Reports that somebody who is signed in wanted what he may not."""
    detail = {
        "permission": permission.value,
        "method": str(connection.scope.get("method", "websocket")),
        "path": connection.scope["path"][:_MAX_PATH],
    }
    with context.storage.write() as conn:
        suspicious(conn, context.clock, SecurityKind.ACCESS_REFUSED, caller.actor, detail)
