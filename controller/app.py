"""Composition: the application and the background services that the role selects."""

import asyncio
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

from fastapi import FastAPI

from controller import health
from controller.access.api_tokens import enter_service_token, read_token_file
from controller.access.desk import AccessDesk
from controller.access.factor_seal import FactorSeal
from controller.api import problems
from controller.api.context import Context
from controller.api.cookies import SessionCookies
from controller.api.limits import RequestLimits, limits_of
from controller.api.methods import DeclaredMethods
from controller.api.tracing import TracedRequests
from controller.api.v1 import router as api_router
from controller.approved_acts import approval_desk
from controller.background import Worker
from controller.broker import Broker
from controller.clock import SystemClock
from controller.config import ControllerConfig
from controller.detection.deliveries import enter_webhook
from controller.detection.workers import cut_off_worker
from controller.enrolment.desk import EnrolmentDesk, names_in
from controller.enrolment.job import list_file
from controller.fleet.commands import CommandDesk, CommandSigner
from controller.fleet.presence import enter_sites
from controller.ingest.replicas import subscription_group
from controller.ingest.runner import Ingest, IngestHooks
from controller.jobs import job_workers
from controller.live import LiveFeed
from controller.metrics import ControllerMetrics
from controller.outbox.dispatcher import Dispatcher
from controller.pulse import beat
from controller.retention.job import enter_defaults
from controller.services import Services
from controller.storage.engine import Storage
from controller.web.policy import SecurityHeaders
from controller.web.routes import mount_files
from controller.web.routes import router as web_router
from shared.errors import BadInputError
from shared.host.service_manager import ServiceManager
from shared.host.tracing import traced_process

_DISPATCH_EVERY_S = 0.2
_RESEND_AFTER_S = 15.0


class Role(StrEnum):
    """What a process does; several may share one PostgreSQL database."""

    ALL = "all"
    API = "api"
    """REST, stream and page; sends what the API put into the outbox only through `ingest`."""
    INGEST = "ingest"
    """Takes what nodes send, and sends what the outbox holds."""
    JOBS = "jobs"
    """Roll-ups, commands whose time is up, retention."""


class Background:
    """The threads of a role: started once, stopped in the opposite order."""

    def __init__(self, config: ControllerConfig, services: Services, role: Role) -> None:
        self._services = services
        self._ingest: Ingest | None = None
        self._broker: Broker | None = None
        self._workers: list[Worker] = []
        if role in {Role.ALL, Role.INGEST}:
            self._prepare_wire(config)
        if role in {Role.ALL, Role.JOBS}:
            self._workers += job_workers(services, config)
        for worker in self._workers:
            services.checks[worker.name] = _check_of(worker)

    def _prepare_wire(self, config: ControllerConfig) -> None:
        if config.broker is None:
            raise BadInputError("broker", "missing", "a [broker] section for this role")
        services = self._services
        ingest = Ingest(
            services.storage,
            services.clock,
            config.ingest,
            services.metrics,
            config.security.allowed_software,
            only_enrolled=config.enrolment is not None,
        )
        broker = Broker(config.broker, services.metrics, ingest.offer, services.wake)
        resend_after_s = config.commands.resend_after_s if config.commands else _RESEND_AFTER_S
        dispatcher = Dispatcher(
            services.storage, services.clock, broker, services.metrics, resend_after_s
        )
        worker = Worker("dispatcher", dispatcher.round, _DISPATCH_EVERY_S)
        services.wakers.append(worker.wake)
        services.checks["ingest"] = ingest.problem
        services.checks["broker"] = lambda: None if broker.connected else "not connected"
        self._workers.append(worker)
        if config.enrolment is not None:
            self._workers.append(cut_off_worker(services.storage, services.clock, broker))
        self._ingest, self._broker = ingest, broker

    def start(self) -> None:
        """Starts the threads."""
        if self._ingest is not None and self._broker is not None:
            self._ingest.start(IngestHooks(self._broker.confirm, self._services.wake))
            self._broker.share_as(subscription_group(self._services.storage))
            self._broker.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Ends them: what is under way is finished, what waits comes again."""
        if self._ingest is not None:
            self._ingest.stop()
        for worker in reversed(self._workers):
            worker.stop()
        if self._broker is not None:
            self._broker.stop()


def create_services(config: ControllerConfig) -> Services:
    """Opens the database and loads the keys; nothing runs yet."""
    storage = Storage(config.database.url)
    clock = SystemClock(config.clock.scale())
    desk = None
    if config.commands is not None:
        desk = CommandDesk(clock, CommandSigner.load(config.commands.signing_key_file))
    live = LiveFeed(storage)
    services = Services(storage, clock, ControllerMetrics(), live, desk)
    if config.enrolment is not None:
        reserved = set(config.security.trusted_clients)
        if config.broker is not None:
            own = names_in(config.broker.certificate_file, "broker.certificate_file")
            reserved |= {config.broker.client_id, *own}
        services.enrolment = EnrolmentDesk.open(config.enrolment, desk, reserved)
    services.wakers.append(live.wake)
    return services


def create_app(config: ControllerConfig, role: Role = Role.ALL) -> FastAPI:
    """The application; its lifespan starts and stops the role's background services.

    The database must be migrated. `BadInputError` for a configuration that the role cannot use.
    """
    services = create_services(config)
    background = Background(config, services, role)
    token = None if config.http.token_file is None else read_token_file(config.http.token_file)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with traced_process(config.tracing, "bes-controller", f"{role.value}@{platform.node()}"):
            await asyncio.to_thread(_enter_configured, config, services, token)
            await services.live.start()
            background.start()
            manager = ServiceManager.from_environment()
            beating = asyncio.create_task(
                beat(manager, services.not_ready, lambda: bool(app.state.listening()))
            )
            yield
            manager.stopping("ends what is under way")
            await asyncio.to_thread(background.stop)
            beating.cancel()
            await services.live.stop()
            services.storage.close()

    app = FastAPI(
        title="Bitcoin Enterprise Suite",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.listening = lambda: True
    problems.install(app)
    app.include_router(health.router)
    if role in {Role.ALL, Role.API}:
        _serve_people(app, config, services)
    app.add_middleware(SessionCookies)
    app.add_middleware(DeclaredMethods, described=app)
    app.add_middleware(RequestLimits, limits=limits_of(config.http))
    app.add_middleware(SecurityHeaders)
    app.add_middleware(TracedRequests)
    return app


def _serve_people(app: FastAPI, config: ControllerConfig, services: Services) -> None:
    key_file = config.access.factor_key_file
    seal = FactorSeal() if key_file is None else FactorSeal.load(key_file)
    app.state.context = Context(
        storage=services.storage,
        clock=services.clock,
        access=AccessDesk(services.storage, services.clock, config.access, seal),
        desk=services.desk,
        wake=services.wake,
        live=services.live,
        meanings=services.meanings,
        approvals=approval_desk(config, services.clock, services.desk),
    )
    app.state.enrolment = services.enrolment
    app.include_router(api_router)
    app.include_router(web_router)
    mount_files(app, config.web.vendor_dir)


def _enter_configured(config: ControllerConfig, services: Services, token: str | None) -> None:
    file = list_file(services, config)
    if file is not None:
        file.read_back()
    with services.storage.write() as conn:
        if token is not None:
            enter_service_token(conn, services.clock, token, config.http.token_roles)
        enter_sites(conn, services.clock, config.site)
        enter_defaults(conn, services.clock, config.retention)
        enter_webhook(conn, config.webhook)


def _check_of(worker: Worker) -> Callable[[], str | None]:
    return lambda: "its rounds fail" if worker.failing else None
