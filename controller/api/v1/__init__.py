"""Version 1 of the REST interface. A new resource is a folder here and its router in `router`."""

from http import HTTPStatus

from fastapi import APIRouter

from controller.api.problems import documented
from controller.api.v1 import stream
from controller.api.v1.account.routes import router as account
from controller.api.v1.alarms.routes import router as alarms
from controller.api.v1.approvals.keys import router as approval_keys
from controller.api.v1.approvals.routes import router as approvals
from controller.api.v1.audit.routes import router as audit
from controller.api.v1.commands.routes import router as commands
from controller.api.v1.devices.routes import router as devices
from controller.api.v1.enrolment.hosts import router as enrolment_of_hosts
from controller.api.v1.enrolment.operators import router as enrolment
from controller.api.v1.events.routes import router as events
from controller.api.v1.gaps.routes import router as gaps
from controller.api.v1.holds.routes import router as holds
from controller.api.v1.nodes.routes import router as nodes
from controller.api.v1.retention.routes import router as retention
from controller.api.v1.security.routes import router as security
from controller.api.v1.sessions.routes import router as sessions
from controller.api.v1.sites.overview import router as overview
from controller.api.v1.sites.routes import router as sites
from controller.api.v1.tokens.routes import router as tokens
from controller.api.v1.users.routes import router as users

PREFIX = "/api/v1"

_resources = APIRouter(
    responses=documented(
        HTTPStatus.BAD_REQUEST,  # a body in no encoding that JSON has
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,  # it fits its form and means nothing, e.g. another list's cursor
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
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
    sessions,
    account,
    tokens,
    users,
    audit,
    approvals,
    approval_keys,
    enrolment,
    enrolment_of_hosts,
    security,
):
    _resources.include_router(resource)

router = APIRouter(prefix=PREFIX)
router.include_router(_resources)
router.include_router(stream.router)
