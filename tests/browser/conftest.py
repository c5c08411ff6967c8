"""The page of a real controller process's application in a real Chromium."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from controller.access import permissions
from controller.app import Role, create_app
from controller.clock import SystemClock
from controller.config import AccessConfig, ControllerConfig, DatabaseConfig
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from tests.accounts import PASSWORD, enter_account
from tests.fleets import Fleet, add_rollups, add_snapshots, enter_fleet

PATIENCE_MS = 30_000
PERSON = "ada"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass(slots=True)
class Served:
    """A controller that serves people: its address and its database."""

    config: ControllerConfig
    storage: Storage
    clock: SystemClock = field(default_factory=SystemClock)
    port: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """As a browser takes it."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serves, on the port that it had before if it had one."""
        application = create_app(self.config, Role.API)
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                log_config=None,
                host="127.0.0.1",
                port=self.port,
                log_level="warning",
                timeout_graceful_shutdown=1,
            )
        )
        self._server, self._thread = server, threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        self.port = server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Ends it, with all its connections."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(60)
        self._server = self._thread = None


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A controller that serves people, on a fresh SQLite file."""
    url = f"sqlite:///{tmp_path / 'controller.db'}"
    storage = Storage(url)
    migrate(storage)
    config = ControllerConfig(
        database=DatabaseConfig(url=url), access=AccessConfig(second_factor="when_enrolled")
    )
    controller = Served(config, storage)
    roles = (permissions.Role.OPERATOR, permissions.Role.ADMINISTRATOR)
    everywhere = [permissions.Grant(role, permissions.COMPANY) for role in roles]
    enter_account(storage, controller.clock, PERSON, everywhere, password=PASSWORD)
    controller.start()
    yield controller
    controller.stop()
    storage.close()


@pytest.fixture
def fleet(served: Served) -> Fleet:
    """A site with a miner and a meter that reports now."""
    now_ms = served.clock.now_ms()
    fleet = enter_fleet(served.storage, now_ms)
    add_snapshots(served.storage, fleet, 3, now_ms - 3_000)
    add_rollups(served.storage, fleet.whole, "power_w", [3_200.0] * 5, now_ms - 600_000)
    return fleet


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
    page.on("websocket", lambda socket: visited.hosts.add(socket.url.split("/")[2]))
    page.add_init_script(_TELL_VIOLATIONS)
    page.goto(address)
    return visited


def sign_in(page: Page) -> None:
    """Gives name and password."""
    page.fill("#name", PERSON)
    page.fill("#password", PASSWORD)
    page.click("#password-step button")
    page.wait_for_selector("#link[data-state=live]")


@pytest.fixture
def visited(served: Served, fleet: Fleet, browser: Browser) -> Iterator[Visit]:
    """The page, signed in, at 1280 pixels; nothing may have gone wrong on it in the end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen = visit(context, served.address)
    sign_in(seen.page)
    yield seen
    context.close()
    assert seen.complaints == []
    assert seen.hosts == {served.address.removeprefix("http://")}
