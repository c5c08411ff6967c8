"""The page, signing in and out, and its static files."""

import time
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from controller.access.sessions import COOKIE, LIFETIME_S, seal
from controller.api.context import ContextDep, has_session
from shared.errors import BadInputError

VENDOR_FILES = ("uPlot.iife.min.js", "uPlot.min.css")
_HERE = Path(__file__).parent

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=PackageLoader("controller.web"), autoescape=True, undefined=StrictUndefined
)


@router.get("/", response_class=HTMLResponse)
def show_page(request: Request, context: ContextDep) -> Response:
    """The page, or the way to sign in."""
    if not has_session(context, request):
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return HTMLResponse(_templates.get_template("page.html").render())


@router.get("/sign-in", response_class=HTMLResponse)
def show_sign_in() -> Response:
    """The form that takes the token."""
    return HTMLResponse(_templates.get_template("sign_in.html").render(refused=False))


@router.post("/sign-in", response_class=HTMLResponse)
def sign_in(
    context: ContextDep, request: Request, token: Annotated[str, Form(max_length=512)]
) -> Response:
    """Gives a session for the token; the token itself is not kept by the browser."""
    if not context.token.matches(token.strip()):
        page = _templates.get_template("sign_in.html").render(refused=True)
        return HTMLResponse(page, HTTPStatus.FORBIDDEN)
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        seal(context.token, int(time.time())),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
def sign_out() -> Response:
    """Takes the cookie away."""
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


class _CachedFiles(StaticFiles):
    """Static files that a browser asks about again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def mount_files(application: FastAPI, vendor_folder: Path) -> None:
    """Serves our static files, and uPlot's from where its package installed them.

    `BadInputError` when uPlot is not there.
    """
    missing = [name for name in VENDOR_FILES if not (vendor_folder / name).is_file()]
    if missing:
        allowed = "the folder of uPlot's installed dist files (npm ci)"
        problem = f"{vendor_folder} has no {', '.join(missing)}"
        raise BadInputError("web.vendor_dir", problem, allowed)
    application.mount("/static", _CachedFiles(directory=_HERE / "static"))
    application.mount("/vendor", _CachedFiles(directory=vendor_folder))
