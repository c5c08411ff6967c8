"""What an unauthenticated host may send: so many bytes, in so much time, so often."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from controller.api.context import Context, ContextDep
from controller.api.problems import FieldProblem, ProblemError
from controller.audit.people import Personal
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.enrolment.desk import EnrolmentDesk
from shared.enrolment import MAX_BODY_BYTES
from shared.errors import BadInputError

BODY_WITHIN_S = 10.0
REFUSED_COSTS = 5.0
"""What a refused attempt takes from its place's bucket beyond the one of any attempt."""

Model = TypeVar("Model", bound=BaseModel)


def enrolment_desk(request: Request) -> EnrolmentDesk:
    """The desk; 409 where this controller enrols nobody."""
    desk: EnrolmentDesk | None = getattr(request.app.state, "enrolment", None)
    if desk is None:
        raise ProblemError(HTTPStatus.CONFLICT, "this controller has no [enrolment] section")
    return desk


DeskDep = Annotated[EnrolmentDesk, Depends(enrolment_desk)]


def host_address(request: Request) -> str:
    """Where the request comes from, by the connection itself; "" where there is none."""
    return "" if request.client is None else request.client.host[:64]


AddressDep = Annotated[str, Depends(host_address)]


def knock(context: ContextDep, desk: DeskDep, address: AddressDep) -> None:
    """429 when this place has knocked too often; the first time it is also a security event."""
    now_s = time.monotonic()
    if desk.places.spend(address, now_s):
        return
    if desk.places.tell_once(address, now_s):
        _report(context, address)
    raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too many attempts from here; wait a minute")


def punish(desk: EnrolmentDesk, address: str) -> None:
    """Makes a refused attempt dear."""
    desk.places.punish(address, time.monotonic(), REFUSED_COSTS)


async def bounded_body(request: Request) -> bytes:
    """The body; 413 when it is too large, 408 when it takes too long."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError as error:
        detail = f"the body took longer than {BODY_WITHIN_S:.0f} s"
        raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from error
    return bytes(body)


BodyDep = Annotated[bytes, Depends(bounded_body)]


def parsed(body: bytes, model: type[Model]) -> Model:
    """The body as JSON of a model; 422 names what is wrong, without repeating what was sent."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        items = [{**item, "loc": ("body", *item["loc"])} for item in found]
        raise RequestValidationError(items) from error


@contextmanager
def readable() -> Iterator[None]:
    """409 for what fits its form and means nothing: PEM that holds no request, a network that is
    none."""
    try:
        yield
    except BadInputError as error:
        field = FieldProblem(
            field=f"body.{error.field}", problem=error.problem, allowed=error.allowed
        )
        raise ProblemError(HTTPStatus.CONFLICT, str(error), [field]) from error


def described(model: type[BaseModel]) -> dict[str, object]:
    """The OpenAPI description of a body that is read by `bounded_body`."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _too_large() -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of more than {MAX_BODY_BYTES} bytes"
    )


def _report(context: Context, address: str) -> None:
    with context.storage.write() as conn:
        report(
            conn,
            kind=SecurityKind.ENROLMENT_THROTTLED,
            subject=Personal("address", address or "unknown"),
            detail={},
            now_ms=context.clock.now_ms(),
        )
