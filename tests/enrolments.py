"""The enrolment interface behind real HTTPS, with a certificate authority of the test's own."""

import base64
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, FastAPI
from sqlalchemy import func, select
from starlette.requests import Request

from controller.access.callers import Caller, UserKind
from controller.access.permissions import COMPANY, Grant, Permission, Role
from controller.api import problems
from controller.api.guard import Needs, Permit
from controller.api.problems import ProblemError
from controller.api.v1.enrolment import hosts, operators
from controller.enrolment.authority import Authority
from controller.enrolment.crl import keep_lists
from controller.enrolment.desk import EnrolmentDesk
from controller.enrolment.rate import Places, RateLimit
from controller.storage.engine import Storage
from controller.storage.tables import (
    certificates,
    enrolment_tokens,
    nodes,
    revocations,
    security_events,
)
from controller.tls import ServerTls
from shared.identity.issuing import Issuer, issue_intermediate, issue_leaf, make_root
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem
from shared.identity.profiles import Purpose
from shared.identity.renewal import Challenge, prove_key
from shared.identity.requests import LeafRequest, build_authority_request, build_request
from shared.identity.trust import TrustBundle
from shared.time import to_ms

HOST = "127.0.0.1"
OPERATOR_TOKEN = "operator-token-of-the-tests-0123456789"
PATIENCE_S = 30.0


@dataclass(slots=True)
class RunningClock:
    """The real time, moved by what a test says."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC) + self.ahead

    def now_ms(self) -> int:
        """See `controller.clock.Clock`."""
        return to_ms(self.now())

    def real_ms(self) -> int:
        """See `controller.clock.Clock`."""
        return to_ms(self.now())


@dataclass(slots=True)
class CertificateAuthority:
    """A root, an intermediate under it, and a server's certificate for this host."""

    name: str
    root_key: ec.EllipticCurvePrivateKey = field(init=False)
    root: x509.Certificate = field(init=False)
    intermediate: Issuer = field(init=False)

    def __post_init__(self) -> None:
        now = datetime.now(UTC) - timedelta(days=1)
        self.root_key = new_key()
        serial = x509.random_serial_number
        self.root = make_root(self.root_key, f"{self.name} root", now, serial())
        key = new_key()
        request = build_authority_request(key, f"{self.name} intermediate")
        issuer = Issuer(self.root_key, self.root)
        self.intermediate = Issuer(key, issue_intermediate(issuer, request, now, serial()))

    def server_files(self, folder: Path) -> tuple[Path, Path]:
        """The files of a server's chain and key."""
        key = new_key()
        request = LeafRequest("controller", key.public_key(), Purpose.SERVER, (HOST, "localhost"))
        leaf = issue_leaf(
            self.intermediate, request, datetime.now(UTC), x509.random_serial_number()
        )
        chain, key_file = folder / f"{self.name}-server.pem", folder / f"{self.name}-server.key"
        chain.write_bytes(certificates_pem((leaf, *self.intermediate.chain)))
        key_file.write_bytes(key_pem(key))
        return chain, key_file

    def authority(self, leaf_lifetime: timedelta = timedelta(days=7)) -> Authority:
        """The controller's authority on these keys."""
        bundle = TrustBundle((self.root,))
        return Authority(self.intermediate, (), bundle, (leaf_lifetime, timedelta(days=7)))

    def client_context(self) -> ssl.SSLContext:
        """The TLS context of a client that trusts this root alone."""
        return ssl.create_default_context(cadata=certificates_pem((self.root,)).decode())


@dataclass(slots=True)
class Interface:
    """A running interface; `client` is an operator's, `stranger` has no token."""

    url: str
    storage: Storage
    clock: RunningClock
    ca: CertificateAuthority
    desk: EnrolmentDesk
    client: httpx2.Client
    stranger: httpx2.Client

    @property
    def fingerprint(self) -> str:
        """What hosts pin."""
        return self.desk.authority.root_fingerprint

    @contextmanager
    def moved_to(self, url: str) -> Iterator[None]:
        """Both clients speak with another server, by connections that are closed before it stops:
        it would wait its whole patience for the goodbye of a client that does not read."""
        before = self.client, self.stranger
        with _clients(url, self.ca) as (self.client, self.stranger):
            yield
        self.client, self.stranger = before

    def new_token(self, node: str = "site-a-01", **terms: Any) -> dict[str, Any]:
        """A token made by the operator: the answer."""
        body = {"node": node, "site": "site-a", "role": "site", "network": None, **terms}
        response = self.client.post("/api/v1/enrolment/tokens", json=body)
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()
        return made

    def join(
        self, token: str, node: str = "site-a-01", key: ec.EllipticCurvePrivateKey | None = None
    ) -> httpx2.Response:
        """A host presents a token, with a key of its own or this one."""
        request = build_request(new_key() if key is None else key, node)
        body = {"token": token, "request": request.public_bytes(Encoding.PEM).decode()}
        return self.stranger.post("/api/v1/enrolment/join", json=body)

    def enrolled(self, node: str = "site-a-01") -> "Host":
        """A host that has joined."""
        key = new_key()
        response = self.join(self.new_token(node)["token"], node, key)
        assert response.status_code == 200, response.text
        chain = x509.load_pem_x509_certificates(response.json()["certificate"].encode())
        return Host(node, key, chain[0])

    def security_events(self, kind: str) -> int:
        """How many events of a kind were recorded."""
        counted = select(func.sum(security_events.c.occurrences)).where(
            security_events.c.kind == kind
        )
        with self.storage.read() as conn:
            return int(conn.scalar(counted) or 0)

    def facts(self) -> tuple[Any, ...]:
        """What a refused attempt must not change: tokens, certificates, revocations, nodes."""
        with self.storage.read() as conn:
            return tuple(
                tuple(sorted(map(repr, conn.execute(select(table)))))
                for table in (enrolment_tokens, certificates, revocations, nodes)
            )


@dataclass(frozen=True, slots=True)
class Host:
    """An enrolled host's identity."""

    node: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class _Context:
    storage: Storage
    clock: RunningClock

    def wake(self) -> None:
        """Nobody waits."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def enrolment_app(storage: Storage, clock: RunningClock, desk: EnrolmentDesk) -> FastAPI:
    """The routes as the controller mounts them; whoever sends `OPERATOR_TOKEN` may do all."""
    app = FastAPI()
    problems.install(app)
    v1 = APIRouter(prefix="/api/v1")
    v1.include_router(operators.router)
    v1.include_router(hosts.router)
    app.include_router(v1)
    app.state.context = _Context(storage, clock)
    app.state.enrolment = desk
    for permission in Permission:
        app.dependency_overrides[Needs(permission)] = _permit(permission)
    return app


@contextmanager
def served(app: FastAPI, files: tuple[Path, Path]) -> Iterator[str]:
    """The application behind the controller's own TLS listener; its URL."""
    tls = ServerTls(*files)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            host=HOST,
            port=0,
            log_level="warning",
            proxy_headers=False,
            ssl_context_factory=lambda _config, _default: tls.context,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"https://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


@contextmanager
def running_interface(
    storage: Storage, folder: Path, leaf_lifetime: timedelta = timedelta(days=7)
) -> Iterator[Interface]:
    """An interface on a fresh authority."""
    ca = CertificateAuthority("ours")
    clock = RunningClock()
    desk = EnrolmentDesk(
        authority=ca.authority(leaf_lifetime),
        url="https://controller.example",
        broker_host="broker.example",
        broker_port=8883,
        command_keys={},
        places=Places(RateLimit(burst=1_000.0)),
    )
    keep_lists(storage, clock, desk.authority)
    with (
        served(enrolment_app(storage, clock, desk), ca.server_files(folder)) as url,
        _clients(url, ca) as (client, stranger),
    ):
        yield Interface(url, storage, clock, ca, desk, client, stranger)


@contextmanager
def _clients(url: str, ca: CertificateAuthority) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    """An operator's and a stranger's."""
    context = ca.client_context()
    bearer = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    with (
        httpx2.Client(base_url=url, verify=context, headers=bearer, timeout=30) as client,
        httpx2.Client(base_url=url, verify=context, timeout=30) as stranger,
    ):
        yield client, stranger


def _permit(permission: Permission) -> Any:
    def permit(request: Request) -> Permit:
        if request.headers.get("authorization") != f"Bearer {OPERATOR_TOKEN}":
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "an API token is needed")
        grant = Grant(Role.ADMINISTRATOR, COMPANY)
        return Permit(Caller(1, "operator", UserKind.PERSON, (grant,)), permission)

    return permit


def ask_renewal(
    interface: Interface,
    host: Host,
    *,
    node: str | None = None,
    new: ec.EllipticCurvePrivateKey | None = None,
    signing: ec.EllipticCurvePrivateKey | None = None,
) -> httpx2.Response:
    """A node asks for its next certificate; by default as it should: for its own name, with a new
    key, the challenge signed by its own."""
    given = interface.stranger.post("/api/v1/enrolment/challenge").json()
    challenge = Challenge(base64.b64decode(given["nonce"]), given["issued_ms"])
    request = build_request(new_key() if new is None else new, node or host.node)
    return send_renewal(
        interface, host, request, challenge, host.key if signing is None else signing
    )


def send_renewal(
    interface: Interface,
    host: Host,
    request: x509.CertificateSigningRequest,
    challenge: Challenge,
    signing: ec.EllipticCurvePrivateKey,
) -> httpx2.Response:
    """Sends a renewal as it is given."""
    proof = prove_key(signing, host.certificate, request, challenge)
    return interface.stranger.post(
        "/api/v1/enrolment/renew",
        json={
            "certificate": host.certificate.public_bytes(Encoding.PEM).decode(),
            "request": request.public_bytes(Encoding.PEM).decode(),
            "nonce": base64.b64encode(challenge.nonce).decode(),
            "issued_ms": challenge.issued_ms,
            "proof": base64.b64encode(proof).decode(),
        },
    )


def renewed(host: Host, key: ec.EllipticCurvePrivateKey, response: httpx2.Response) -> Host:
    """The host with what it got."""
    assert response.status_code == 200, response.text
    chain = x509.load_pem_x509_certificates(response.json()["certificate"].encode())
    return Host(host.node, key, chain[0])
