"""Every route of the controller's application with the permission that it declares."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter, APIWebSocketRoute
from starlette.routing import BaseRoute

from controller.access.permissions import Permission
from controller.api.guard import Lack, Needs, Open, declared
from controller.api.persons import adding_a_factor, in_session, not_whole_yet

_IN_SESSION = (in_session, adding_a_factor, not_whole_yet)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A route, its parameters filled in, and all that it declares."""

    method: str
    path: str
    needs: frozenset[Permission]
    is_open: bool
    in_session: bool
    even_without: frozenset[Lack]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def guarded_routes(application: FastAPI) -> list[Guarded]:
    """The routes for people and programs, WebSockets too; static files and health are not."""
    return sorted(_guarded(application.routes, ""), key=str)


def _guarded(routes: list[BaseRoute], prefix: str) -> Iterator[Guarded]:
    for route in routes:
        included = getattr(route, "original_router", None)  # FastAPI keeps routers as a tree
        if isinstance(included, APIRouter):
            within = getattr(route, "include_context").prefix  # noqa: B009 - not a public type
            yield from _guarded(included.routes, prefix + within)
        elif isinstance(route, APIRoute | APIWebSocketRoute):
            found = list(declared(route.dependant))
            methods = (route.methods or ()) if isinstance(route, APIRoute) else {"WEBSOCKET"}
            for method in methods:
                yield Guarded(
                    method,
                    re.sub(r"\{[^}]*\}", "1", prefix + route.path),
                    frozenset(one.permission for one in found if isinstance(one, Needs)),
                    any(isinstance(one, Open) for one in found),
                    any(call in _IN_SESSION for call in _calls(route.dependant)),
                    frozenset(
                        lack for one in found if isinstance(one, Needs) for lack in one.even_without
                    ),
                )


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for further in dependant.dependencies:
        yield from _calls(further)
