"""Version 1 of the REST interface. A new resource is a folder here and its router in `router`."""

from http import HTTPStatus

from fastapi import APIRouter, Depends

from controller.api.context import require_access
from controller.api.problems import documented
from controller.api.v1 import stream
from controller.api.v1.alarms.routes import router as alarms
from controller.api.v1.commands.routes import router as commands
from controller.api.v1.devices.routes import router as devices
from controller.api.v1.events.routes import router as events
from controller.api.v1.gaps.routes import router as gaps
from controller.api.v1.holds.routes import router as holds
from controller.api.v1.nodes.routes import router as nodes
from controller.api.v1.retention.routes import router as retention
from controller.api.v1.sites.overview import router as overview
from controller.api.v1.sites.routes import router as sites

PREFIX = "/api/v1"

_resources = APIRouter(
    dependencies=[Depends(require_access)],
    responses=documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY),
)
for resource in (
    sites,
    overview,
    nodes,
    devices,
    gaps,
    events,
    alarms,
    commands,
    holds,
    retention,
):
    _resources.include_router(resource)

router = APIRouter(prefix=PREFIX)
router.include_router(_resources)
router.include_router(stream.router)
