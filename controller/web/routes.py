"""The pages and their static files. What the pages change, they change through `/api/v1`."""

from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from controller.access.permissions import Permission
from controller.api.guard import Lack, Open, PageNeeds
from shared.errors import BadInputError

VENDOR_FILES = ("uPlot.iife.min.js", "uPlot.min.css")
_HERE = Path(__file__).parent

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=PackageLoader("controller.web"), autoescape=True, undefined=StrictUndefined
)


def _page(name: str) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(name).render())


@router.get("/", dependencies=[Depends(PageNeeds(Permission.FLEET_READ))])
def show_page() -> HTMLResponse:
    """The sites as they are now."""
    return _page("page.html")


@router.get("/sign-in", dependencies=[Depends(Open("who signs in is nobody yet"))])
def show_sign_in() -> HTMLResponse:
    """The forms of both steps."""
    return _page("sign_in.html")


_ACCOUNT_PAGE = PageNeeds(Permission.ACCOUNT_OWN, even_without=frozenset(Lack))


@router.get("/account", dependencies=[Depends(_ACCOUNT_PAGE)])
def show_account() -> HTMLResponse:
    """One's own password, second factors, tokens and sessions."""
    return _page("account.html")


@router.get("/users", dependencies=[Depends(PageNeeds(Permission.USERS_READ))])
def show_users() -> HTMLResponse:
    """Accounts and what they are granted."""
    return _page("users.html")


@router.get("/approvals", dependencies=[Depends(PageNeeds(Permission.APPROVALS_READ))])
def show_approvals() -> HTMLResponse:
    """What waits for approval, and one's own keys to answer with."""
    return _page("approvals.html")


@router.get("/security", dependencies=[Depends(PageNeeds(Permission.SECURITY_READ))])
def show_security() -> HTMLResponse:
    """What looked like an attack, and who has looked into it."""
    return _page("security.html")


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
