"""`/api/v1/security`."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy import Select, func, select, tuple_

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.preconditions import IfMatch, changed, etag, expected_version
from controller.api.problems import ProblemError, documented, not_found
from controller.api.times import From, To, span_ms
from controller.api.v1.security.requests import Acknowledgement
from controller.api.v1.security.responses import SecurityEvent, Summary
from controller.detection.acknowledging import ChangedError, acknowledge
from controller.detection.kinds import SecurityKind
from controller.errors import ConflictError, MissingError
from controller.storage.tables import security_events
from shared.messages.event import Severity

router = APIRouter(prefix="/security", tags=["security"])

SecurityReader = Annotated[Permit, Depends(Needs(Permission.SECURITY_READ))]
SecurityChanger = Annotated[Permit, Depends(Needs(Permission.SECURITY_CHANGE))]
EventId = Annotated[int, Path(ge=1, lt=2**63)]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to."""

    kind: Annotated[SecurityKind | None, Query()] = None
    severity: Annotated[Severity | None, Query()] = None
    subject: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None
    acknowledged: Annotated[bool | None, Query(description="Only those, or only open ones")] = None
    start: From = None
    end: To = None

    def on(self, query: Select[Any]) -> Select[Any]:
        """The narrowed query."""
        columns = security_events.c
        from_ms, until_ms = span_ms(self.start, self.end)
        query = query.where(columns.first_ms >= from_ms, columns.first_ms < until_ms)
        for column, wanted in (
            (columns.kind, self.kind),
            (columns.severity, self.severity),
            (columns.subject, self.subject),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if self.acknowledged is None:
            return query
        when = columns.acknowledged_ms
        return query.where(when.is_not(None) if self.acknowledged else when.is_(None))


@router.get("/events", summary="Security events, newest first")
def list_security_events(
    context: ContextDep,
    _permit: SecurityReader,
    filters: Annotated[Filters, Depends()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SecurityEvent]:
    """Equal events close together are one item with their count; the time is of the first."""
    after = decode_cursor(cursor, int, int)
    columns = security_events.c
    newest_first = (columns.first_ms.desc(), columns.id.desc())
    query = filters.on(select(security_events)).order_by(*newest_first).limit(limit + 1)
    if after is not None:
        query = query.where(tuple_(columns.first_ms, columns.id) < tuple_(*after))
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, SecurityEvent.of, lambda row: [row.first_ms, row.id])


@router.get("/summary")
def read_security_summary(context: ContextDep, _permit: SecurityReader) -> Summary:
    """How many events are open, by severity."""
    query = (
        select(security_events.c.severity, func.count())
        .where(security_events.c.acknowledged_ms.is_(None))
        .group_by(security_events.c.severity)
    )
    with context.storage.read() as conn:
        counts = {Severity(severity): count for severity, count in conn.execute(query)}
    return Summary(open={severity: counts.get(severity, 0) for severity in Severity})


@router.get("/events/{event_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_security_event(
    context: ContextDep, _permit: SecurityReader, event_id: EventId, response: Response
) -> SecurityEvent:
    """One event, with its ETag."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(security_events).where(security_events.c.id == event_id)
        ).one_or_none()
    if row is None:
        raise not_found("security event", event_id)
    response.headers["ETag"] = etag(row.version)
    return SecurityEvent.of(row)


@router.post(
    "/events/{event_id}/acknowledge",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED),
)
def acknowledge_security_event(
    context: ContextDep,
    permit: SecurityChanger,
    event_id: EventId,
    given: Acknowledgement,
    response: Response,
    if_match: IfMatch = None,
) -> SecurityEvent:
    """Says that somebody has looked into it. With If-Match only what that person saw: a count
    that rose meanwhile is then not acknowledged unseen. What drifted counts as accepted."""
    version = None if if_match is None else expected_version(if_match)
    try:
        with context.storage.write() as conn:
            row = acknowledge(conn, context.clock, event_id, permit.actor, given.note, version)
    except MissingError as error:
        raise not_found("security event", event_id) from error
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    except ChangedError as error:
        raise changed() from error
    context.wake()
    response.headers["ETag"] = etag(row.version)
    return SecurityEvent.of(row)
