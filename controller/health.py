"""`/healthz`, `/readyz` and `/metrics`: for supervisors and scrapers on the host, without a token.

They tell nothing of sites, devices or people.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from controller.services import Services

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether this process serves; `problems` names the parts that keep it from serving."""

    status: str
    problems: dict[str, str] = {}


_NOT_READY: Mapping[int | str, dict[str, Any]] = {
    int(HTTPStatus.SERVICE_UNAVAILABLE): {"model": Health, "description": "Not ready"}
}


@router.get("/healthz", summary="Whether the process is alive")
def healthz() -> Health:
    """Alive: it answers."""
    return Health(status="alive")


@router.get("/readyz", summary="Whether the process can serve", responses=dict(_NOT_READY))
def readyz(request: Request, response: Response) -> Health:
    """Ready: database reachable and migrated, broker connected, no background work failing."""
    services: Services = request.app.state.services
    problems = services.not_ready()
    if problems:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(status="not ready", problems=problems)
    return Health(status="ready")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """The registry of this process in the text format."""
    services: Services = request.app.state.services
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
