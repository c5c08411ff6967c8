"""Errors over HTTP: `application/problem+json` (RFC 9457)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from controller.api.text import without_nul
from shared.errors import BadInputError

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One field that was refused."""

    field: str = Field(description="Where it is, e.g. `body.action`")
    problem: str
    allowed: str = Field(description="What would have been accepted; empty when not known")


class Problem(BaseModel):
    """A problem document."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)


class ProblemError(Exception):
    """A refusal with its HTTP status; raised by routes, answered as a problem document."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.status = status
        self.detail = detail
        self.errors = list(errors)


def not_found(what: str, name: object) -> ProblemError:
    """404 for a thing that does not exist."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no {what} {str(name)[:80]!r}")


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems."""
    return {
        int(status): {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def install(application: FastAPI) -> None:
    """Makes every error of the application a problem document."""
    application.add_exception_handler(ProblemError, _from_problem)
    application.add_exception_handler(BadInputError, _from_bad_input)
    application.add_exception_handler(RequestValidationError, _from_validation)
    application.add_exception_handler(HTTPException, _from_http)
    application.add_exception_handler(Exception, _from_unexpected)
    application.openapi = _with_problems(application.openapi)  # type: ignore[method-assign]


def _with_problems(describe: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The OpenAPI document with the schemas that `documented` refers to."""

    def described() -> dict[str, Any]:
        document = describe()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        parts = schema.pop("$defs")
        for operations in document["paths"].values():
            for operation in operations.values():
                for parameter in operation.get("parameters", []):
                    if parameter["in"] in {"path", "query"}:
                        without_nul(parameter["schema"])
        document.setdefault("components", {}).setdefault("schemas", {}).update(
            {**parts, "Problem": schema}
        )
        return document

    return described


def _answer(
    status: int,
    detail: str,
    errors: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors)
    )
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


async def _from_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this type
    headers = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return _answer(error.status, error.detail, error.errors, headers)


async def _from_bad_input(_request: Request, error: Exception) -> JSONResponse:
    """409: the request fitted its documented form (422 otherwise), and means nothing here."""
    assert isinstance(error, BadInputError)  # noqa: S101 - registered for this type
    field = FieldProblem(field=error.field, problem=error.problem, allowed=error.allowed)
    return _answer(HTTPStatus.CONFLICT, str(error), [field])


async def _from_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    fields = [
        FieldProblem(
            field=".".join(str(part) for part in item["loc"])[:200],
            problem=str(item["msg"])[:500],
            allowed=_allowed(item),
        )
        for item in error.errors()[:20]
    ]
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "the request breaks its contract", fields)


def _allowed(item: Any) -> str:
    context = item.get("ctx") or {}
    return ", ".join(f"{key} {value}" for key, value in context.items() if key != "error")[:200]


async def _from_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    return _answer(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _from_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; it has been logged")
