"""The REST interface over a fresh database, and a small fleet to ask about."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient

from controller.api import problems
from controller.api.context import Context
from controller.api.cookies import SessionCookies
from controller.api.v1 import router
from controller.fleet.commands import CommandDesk, CommandSigner
from controller.fleet.meaning import Meanings
from controller.live import LiveFeed
from controller.storage.engine import Storage
from tests.accounts import access_with_token
from tests.fleets import NOW_MS, TOKEN, Fleet, enter_fleet

SIGNER = CommandSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)), b"key-1")


@dataclass(slots=True)
class StoppedClock:
    """A clock that a test sets."""

    time_ms: int = NOW_MS

    def now_ms(self) -> int:
        """Business time."""
        return self.time_ms

    def real_ms(self) -> int:
        """Real time."""
        return self.time_ms


@pytest.fixture
def clock() -> StoppedClock:
    """The controller's clock."""
    return StoppedClock()


@pytest.fixture
def application(storage: Storage, clock: StoppedClock) -> FastAPI:
    """The interface as the controller composes it."""
    live = LiveFeed(storage, poll_s=0.05)

    @asynccontextmanager
    async def lifespan(_application: FastAPI) -> AsyncIterator[None]:
        await live.start()
        yield
        await live.stop()

    application = FastAPI(lifespan=lifespan)
    problems.install(application)
    application.include_router(router)
    application.add_middleware(SessionCookies)
    application.state.context = Context(
        storage=storage,
        clock=clock,
        access=access_with_token(storage, clock),
        desk=CommandDesk(clock, SIGNER),
        wake=lambda: None,
        live=live,
        meanings=Meanings(),
    )
    return application


@pytest.fixture
def served(application: FastAPI) -> Iterator[str]:
    """The interface behind a real server: its host and port."""
    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, log_level="warning", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def stranger(application: FastAPI) -> TestClient:
    """A client without a token."""
    return TestClient(application)


@pytest.fixture
def client(application: FastAPI) -> Iterator[TestClient]:
    """A client that holds the token."""
    with TestClient(application, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
def fleet(storage: Storage) -> Fleet:
    """A small fleet in the database."""
    return enter_fleet(storage)
