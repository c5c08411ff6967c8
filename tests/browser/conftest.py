"""The page of a real controller process's application in a real Chromium."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from controller.app import Role, create_app
from controller.clock import SystemClock
from controller.config import ControllerConfig, DatabaseConfig, HttpConfig
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from tests.fleets import TOKEN

PATIENCE_MS = 30_000
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(slots=True)
class Served:
    """A controller's address and its database."""

    address: str
    storage: Storage
    clock: SystemClock = field(default_factory=SystemClock)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A controller that serves people, on a fresh SQLite file."""
    url = f"sqlite:///{tmp_path / 'controller.db'}"
    storage = Storage(url)
    migrate(storage)
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    config = ControllerConfig(
        database=DatabaseConfig(url=url), http=HttpConfig(token_file=token_file)
    )
    server = uvicorn.Server(
        uvicorn.Config(create_app(config, Role.API), host="127.0.0.1", port=0, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", storage)
    server.should_exit = True
    thread.join(60)
    storage.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Playwright runs an event loop in this thread, in which no asynchronous
    test can run: so it ends with the module."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        yield chromium
        chromium.close()


@dataclass(slots=True)
class Visit:
    """A page, and whatever went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


def visit(context: BrowserContext, address: str) -> Visit:
    """Opens an address and listens to what the browser complains about."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    visited = Visit(page)
    page.on(
        "console",
        lambda m: visited.complaints.append(m.text) if m.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    page.on("request", lambda request: visited.hosts.add(request.url.split("/")[2]))
    page.goto(address)
    return visited


def sign_in(page: Page) -> None:
    """Gives the token."""
    page.fill("#token", TOKEN)
    page.click("button")
    page.wait_for_selector("#link[data-state=live]")
