"""ETag and If-Match: an update names the version it was made from (RFC 9110 section 13.1.1)."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Header

from controller.api.problems import ProblemError

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=40, description="The ETag that the update is made from"),
]


def etag(version: int) -> str:
    """The strong ETag of a row's version."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int:
    """The version that the client saw; 428 when it names none, 412 when it cannot be one."""
    if if_match is None:
        raise ProblemError(HTTPStatus.PRECONDITION_REQUIRED, "an update takes If-Match")
    quoted = if_match.strip()
    if len(quoted) < 3 or quoted[0] != '"' or quoted[-1] != '"' or not quoted[1:-1].isdecimal():
        raise changed()
    version = int(quoted[1:-1])
    if version >= 2**63:  # no row's
        raise changed()
    return version


def changed() -> ProblemError:
    """412: somebody was faster."""
    return ProblemError(HTTPStatus.PRECONDITION_FAILED, "it has changed since; read it again")
