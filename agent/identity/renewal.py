"""Renews the node's certificate within the running agent, for ever.

The key of the next certificate is made before it is asked for and stays pending until the answer is
installed; what is lost on the way is asked for again with the same key. The credentials before stay
until the link to the broker stands with the new ones.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.identity.controller import Answer, Controller, pinned_context
from agent.identity.errors import EnrolmentError, RefusedError
from agent.identity.folder import Credentials, IdentityFolder
from agent.identity.schedule import (
    LONGEST_NAP_S,
    Standing,
    nap_s,
    renewal_due_ms,
    retry_after_s,
    standing,
)
from shared.identity.errors import IdentityError, RotationError
from shared.identity.names import node_of
from shared.identity.pem import certificates_pem, read_certificates
from shared.identity.renewal import prove_key
from shared.identity.requests import build_request
from shared.identity.rotation import accept_root
from shared.identity.trust import TrustBundle, read_bundle
from shared.identity.verification import verify_client
from shared.messages.event import Event, EventKind, Severity
from shared.time import to_ms

log = structlog.get_logger(__name__)

_PROOF_NAP_S = 2.0
_LEAST_BETWEEN_S = 5.0
"""Between two renewals, however short certificates last."""


@dataclass(frozen=True, slots=True)
class RenewalSettings:
    """Where to renew, and where the identity lies."""

    url: str
    folder: Path


class Link(Protocol):
    """What renewal needs of the uplink."""

    @property
    def connections(self) -> int:
        """How many connections have stood so far."""
        ...

    @property
    def connected(self) -> bool:
        """Whether one stands now."""
        ...

    async def reconnect(self) -> None:
        """Ends the connection that stands; the next one reads the files anew."""
        ...


class Teller(Protocol):
    """What renewal needs of the recorder."""

    async def event(self, event: Event, time_ms: int | None = None) -> int:
        """Records an event."""
        ...


class Renewer:
    """See the module. `now` is the real time, whatever a demonstration shows."""

    def __init__(
        self,
        settings: RenewalSettings,
        teller: Teller,
        link: Link,
        now: Callable[[], datetime],
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._folder = IdentityFolder(settings.folder)
        self._teller = teller
        self._link = link
        self._now = now
        self._spread = spread
        self._failures = 0
        self._told = ""
        self._retry_at_s = 0.0
        self._proven_above = 0
        self._owed_reconnect = False

    async def run(self) -> None:
        """Until it is cancelled."""
        early = self._spread()
        while True:
            pause_s = await self._round(early)
            await self._drop_old_once_proven()
            if self._folder.has_old():
                pause_s = min(pause_s, _PROOF_NAP_S)
            await asyncio.sleep(pause_s)

    async def _round(self, early: float) -> float:
        """One look at the certificate; how long to wait until the next."""
        current = self._folder.current()
        if current is None:
            await self._tell_once("no_identity", Severity.CRITICAL, "there is no certificate")
            return LONGEST_NAP_S
        wait_s = self._retry_at_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            return wait_s
        before_ms, after_ms = _span_ms(current.leaf)
        now_ms = to_ms(self._now())
        where = standing(before_ms, after_ms, now_ms, early)
        if where is Standing.FRESH:
            return nap_s(renewal_due_ms(before_ms, after_ms, early), now_ms)
        try:
            await self._renew(current, late=where is Standing.EXPIRED)
        except (EnrolmentError, IdentityError, OSError) as error:
            self._failures += 1
            pause_s = retry_after_s(self._failures, self._spread())
            self._retry_at_s = asyncio.get_running_loop().time() + pause_s
            severity = Severity.WARNING
            if isinstance(error, RefusedError) or where is Standing.EXPIRED:
                severity = Severity.CRITICAL
            log.warning("the certificate was not renewed", error=str(error), retry_s=pause_s)
            await self._tell_once("certificate_not_renewed", severity, str(error))
            return pause_s
        self._failures = 0
        self._told = ""
        self._retry_at_s = asyncio.get_running_loop().time() + _LEAST_BETWEEN_S
        return 0.0

    async def _renew(self, current: Credentials, *, late: bool) -> None:
        node = node_of(current.leaf)
        trust = self._folder.trust()
        key = self._folder.pending_key(successor_of=current)
        request = build_request(key, node)
        context = pinned_context(trust.anchors_pem(self._now()))
        async with Controller(self._settings.url, context) as controller:
            challenge = await controller.challenge()
            answer = await controller.renew(
                certificates_pem((current.leaf,)).decode("ascii"),
                request.public_bytes(Encoding.PEM).decode("ascii"),
                challenge,
                prove_key(current.key, current.leaf, request, challenge),
            )
        trust = self._with_new_roots(trust, answer)
        chain = read_certificates(answer.text("certificate").encode())
        verify_client(chain, trust, self._now(), node=node)
        self._folder.pin(trust, self._now())
        self._folder.install(Credentials(key, chain))
        self._folder.discard_pending()
        log.info("the certificate was renewed", serial=f"{chain[0].serial_number:x}", late=late)
        severity = Severity.WARNING if late else Severity.INFO
        await self._tell("certificate_renewed", severity, f"serial {chain[0].serial_number:x}")
        self._owed_reconnect = True

    def _with_new_roots(self, trust: TrustBundle, answer: Answer) -> TrustBundle:
        """With the roots that the pinned ones vouch for; any other is left out and said."""
        offered = read_bundle(answer.text("authorities").encode())
        for root in offered.roots:
            if trust.holds(root):
                continue
            for cross in offered.cross:
                if cross.subject != root.subject:
                    continue
                try:
                    trust = accept_root(trust, root, cross, self._now())
                except RotationError as error:
                    log.warning("a new root was not accepted", error=str(error))
        return trust

    async def _drop_old_once_proven(self) -> None:
        """The old credentials go when a connection stands that was made with the new ones.

        One that stood, or was being made, when they were renewed may be with the old ones: it is
        ended. After a restart of the agent any connection is with the new ones.
        """
        if not self._link.connected or not self._folder.has_old():
            return
        if self._owed_reconnect:
            self._owed_reconnect = False
            self._proven_above = self._link.connections
            await self._link.reconnect()
        elif self._link.connections > self._proven_above:
            self._folder.drop_old()
            log.info("the new certificate is proven; the one before is deleted")

    async def _tell_once(self, what: str, severity: Severity, text: str) -> None:
        if text != self._told:
            self._told = text
            await self._tell(what, severity, text)

    async def _tell(self, what: str, severity: Severity, text: str) -> None:
        data = {"what": what, "text": text[:500]}
        await self._teller.event(Event(EventKind.AGENT, severity, data))


def _span_ms(leaf: x509.Certificate) -> tuple[int, int]:
    return to_ms(leaf.not_valid_before_utc), to_ms(leaf.not_valid_after_utc)
