"""Reads the price feed over HTTP and keeps what it said, across restarts."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable

import aiohttp
import structlog

from agent.clock import Clock
from agent.database import Database, StorageError
from agent.site.config import PricesConfig
from agent.site.market_feed import MAX_FEED_BYTES, Market, parse_feed
from shared.errors import BadInputError
from shared.host.tracing import SpanKind, outgoing, span

log = structlog.get_logger(__name__)

_CHUNK = 64 * 1024


class FeedError(Exception):
    """The feed could not be had: no answer, a refusal, or too large a one."""


class PriceFeed:
    """Polls the feed; `market` is what is known. A failed poll changes nothing but `problem`."""

    def __init__(
        self, config: PricesConfig, database: Database, clock: Clock, on_news: Callable[[], None]
    ) -> None:
        self._config = config
        self._database = database
        self._clock = clock
        self._on_news = on_news
        self._digest = b""
        self.market = Market()
        self.problem: str | None = "the feed has not been read yet"

    async def restore(self) -> None:
        """Takes up the last document that an earlier life of the agent accepted."""
        body = await self._database.read(_kept)
        if body is not None:
            try:
                self._accept(body)
            except BadInputError as error:
                log.warning("the kept prices are not of this version", error=str(error))

    async def run(self) -> None:
        """Polls until cancelled."""
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            while True:
                due_s = loop.time() + self._config.poll_s
                await self.poll(session)
                await asyncio.sleep(max(0.0, due_s - loop.time()))

    async def poll(self, session: aiohttp.ClientSession) -> None:
        """Reads the feed once."""
        try:
            body = await self._fetch(session)
            news = hashlib.sha256(body).digest() != self._digest
            if news:
                self._accept(body)
        except (FeedError, BadInputError) as error:
            if self.problem != str(error):
                log.warning("prices could not be read", error=str(error))
            self.problem = str(error)
            return
        self.problem = None
        if news:
            await self._keep(body)
            self._on_news()

    def _accept(self, body: bytes) -> None:
        self.market = self.market.with_feed(parse_feed(body), self._clock.now_ms())
        self._digest = hashlib.sha256(body).digest()

    async def _keep(self, body: bytes) -> None:
        received_ms = self._clock.now_ms()
        try:
            await self._database.write(
                lambda conn: (
                    conn.execute(
                        "INSERT OR REPLACE INTO price_feed VALUES (1, ?, ?)", (received_ms, body)
                    ).rowcount
                )
            )
        except StorageError as error:
            # The prices are in force all the same; only a restart would have to wait for the feed.
            log.warning("prices could not be kept", error=str(error))

    async def _fetch(self, session: aiohttp.ClientSession) -> bytes:
        try:
            with span("read prices", SpanKind.CLIENT):
                return await self._get(session)
        except TimeoutError as error:
            raise FeedError(f"no answer within {self._config.deadline_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise FeedError(f"{type(error).__name__}: {error}"[:200]) from error

    async def _get(self, session: aiohttp.ClientSession) -> bytes:
        async with (
            asyncio.timeout(self._config.deadline_s),
            session.get(self._config.url, allow_redirects=False, headers=outgoing()) as response,
        ):
            if response.status != 200:
                raise FeedError(f"HTTP {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > MAX_FEED_BYTES:
                    raise FeedError(f"more than {MAX_FEED_BYTES} bytes")
            return bytes(body)


def _kept(connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("SELECT body FROM price_feed WHERE id = 1").fetchone()
    return None if row is None else bytes(row[0])
