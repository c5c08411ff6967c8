"""One agent: what is started in which order, and how it ends.

Ending leaves nothing half done: no command begins any more, the role's tasks end, the hardware goes
into its configured safe state, what was recorded is sent while the link stands, `offline` is
published, the database is closed. Whatever does not end in its time is left to the next start,
which finds every intent written down.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from agent.buffer.births import Identity
from agent.buffer.keeper import Keeper
from agent.clock import Clock, SystemClock
from agent.clock_sync import read_clock_sync
from agent.clock_watch import watch_clock
from agent.commands.clock_trust import ClockTrust, HostBoot, read_boot_id
from agent.commands.keys import load_trusted_keys
from agent.commands.policy import Address, CommandPolicy
from agent.commands.runner import Commands
from agent.config import AgentConfig
from agent.database import Database, DatabaseOptions, StorageError, StorageFullError
from agent.identity.renewal import RenewalSettings, Renewer
from agent.recorder import Recorder
from agent.runtime.host import DataFolder, config_sha256, software, software_sha256
from agent.runtime.look import Parts, look
from agent.runtime.pulse import LONGEST_ILL_S, pulse_of, why_unhealthy
from agent.runtime.roles import build_role
from agent.status.server import StatusServer, status_app
from agent.supervisor import Supervisor, TaskHealth, TaskSpec
from agent.uplink.link import BrokerAddress
from agent.uplink.state import PlanSettings, Stream
from agent.uplink.uplink import Uplink, UplinkSettings
from shared.host.service_manager import ServiceManager
from shared.messages.event import Event, EventKind, Severity

HOUSEKEEPING_S = 30.0
FULL_DISK_PAUSE_S = 5.0
COMMANDS_GRACE_S = 5.0
TASKS_GRACE_S = 10.0
SAFE_STATE_DEADLINE_S = 45.0
DRAIN_S = 3.0
MIB = 1024 * 1024

log = structlog.get_logger(__name__)


async def run_agent(
    config: AgentConfig,
    stop: asyncio.Event,
    clock: Clock | None = None,
    synchronised: Callable[[], bool | None] = lambda: read_clock_sync().synchronised,
) -> None:
    """Runs one agent until `stop` is set.

    While the disk is full and nothing could be written down, it waits for room and begins anew.
    Raises `DataFolderError` when another agent owns the data folder, `StorageError` when the
    database cannot be opened, `BadInputError` when a key or device cannot be used, `OSError` when
    the status page cannot listen.
    """
    folder = DataFolder.take(config.data_dir)
    try:
        the_clock = SystemClock(config.clock.scale) if clock is None else clock
        while not await _run_while_there_is_room(config, stop, the_clock, synchronised):
            await _pause(stop, FULL_DISK_PAUSE_S)
    finally:
        folder.release()


async def _run_while_there_is_room(
    config: AgentConfig,
    stop: asyncio.Event,
    clock: Clock,
    synchronised: Callable[[], bool | None],
) -> bool:
    """One life of the agent; False when it could not begin because the disk is full."""
    try:
        options = DatabaseOptions(reserve_bytes=config.buffer.reserve_mib * MIB)
        database = await Database.open(config.database_file, options)
        try:
            parts = await _compose(config, database, clock, synchronised)
            try:
                await _live(config, parts, stop)
            finally:
                await parts.role.close()
        finally:
            await database.close()
    except StorageFullError as error:
        log.warning("the agent waits for room on the disk", error=str(error))
        return stop.is_set()
    return True


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _compose(
    config: AgentConfig,
    database: Database,
    clock: Clock,
    synchronised: Callable[[], bool | None],
) -> Parts:
    keys = load_trusted_keys(config.commands.trusted_keys)
    hashes = {"configuration": config_sha256(config), "software": await software_sha256()}
    identity = Identity(config.node, secrets.token_hex(8), software(), hashes)
    recorder = await Recorder.open(database, clock, identity)
    keeper = Keeper(database, recorder, clock, config.buffer.disk_budget_mib * MIB)
    role = await build_role(config, database, recorder, clock)
    trust = await ClockTrust.open(
        database,
        clock,
        HostBoot(read_boot_id(), config.clock.rate, config.clock.shown_origin_ms),
        synchronised,
        config.commands.clock_tolerance_ms,
    )
    policy = CommandPolicy(
        keys,
        config.commands.most_open_per_device,
        config.commands.most_kept,
        config.commands.keep_days * 86_400_000,
    )
    address = Address(config.node, database.streams["event"])
    commands = Commands(address, database, recorder, role.executor, trust.moment, policy)
    uplink = Uplink(database, clock, uplink_settings(config, identity))
    uplink.on_command = commands.receive
    supervisor = Supervisor(lambda health: _tell_crash(recorder, health))
    return Parts(
        identity=identity,
        role_name=config.role,
        clock=clock,
        started_s=time.monotonic(),
        database=database,
        recorder=recorder,
        keeper=keeper,
        uplink=uplink,
        clock_trust=trust,
        commands=commands,
        role=role,
        supervisor=supervisor,
    )


def uplink_settings(config: AgentConfig, identity: Identity) -> UplinkSettings:
    """The uplink's settings from the sections [broker] and [buffer]."""
    broker, buffer = config.broker, config.buffer
    usual = PlanSettings()
    return UplinkSettings(
        BrokerAddress(
            host=broker.host,
            port=broker.port,
            ca_file=broker.ca_file,
            certificate_file=broker.certificate_file,
            key_file=broker.key_file,
            keepalive_s=broker.keepalive_s,
            timeout_s=broker.timeout_s,
        ),
        identity,
        PlanSettings(
            batch_rows={**usual.batch_rows, Stream.TELEMETRY: buffer.batch_rows},
            linger_s={**usual.linger_s, Stream.TELEMETRY: buffer.linger_s},
            resend_after_s=buffer.resend_after_s,
            late_after_s=buffer.late_after_s,
            silent_after_s=buffer.silent_after_s,
        ),
    )


async def _live(config: AgentConfig, parts: Parts, stop: asyncio.Event) -> None:
    server = await _serve_status(config, parts)
    manager = ServiceManager.from_environment()
    started = asyncio.Event()
    pulse = asyncio.create_task(
        manager.keep_alive(
            lambda: pulse_of(parts, started=started.is_set(), stopping=stop.is_set()), LONGEST_ILL_S
        )
    )
    try:
        await _start(config, parts)
        started.set()
        log.info("the agent runs", node=config.node, role=config.role, status=server.url)
        await stop.wait()
        log.info("the agent stops")
    finally:
        manager.stopping("brings everything into its safe state")
        await _stop(parts)
        await server.stop()
        pulse.cancel()
        config.status_address_file.unlink(missing_ok=True)


async def _serve_status(config: AgentConfig, parts: Parts) -> StatusServer:
    app = status_app(
        lambda: look(parts), lambda: why_unhealthy(parts.supervisor), parts.role.registry
    )
    server = await StatusServer.start(app, config.status.host, config.status.port)
    server.write_address(config.status_address_file)
    return server


async def _start(config: AgentConfig, parts: Parts) -> None:
    await _tell(parts.recorder, "started", Severity.INFO, {"software": parts.identity.software})
    replaced = parts.database.replaced
    if replaced is not None:
        data = {"text": f"the database was damaged and is set aside as {replaced.name}"}
        await _tell(parts.recorder, "database_replaced", Severity.CRITICAL, data)
    resumed = await parts.commands.resume(parts.role.ready)
    if resumed:
        log.warning("commands were left open by the last run", count=resumed)
    rate = config.clock.rate
    for spec in (
        TaskSpec("buffer", parts.keeper.run),
        TaskSpec("clock", lambda: watch_clock(parts.clock, parts.recorder, rate=rate)),
        TaskSpec("housekeeping", lambda: _keep_house(parts)),
        *(TaskSpec(f"{parts.role_name}: {s.name}", s.run) for s in parts.role.tasks()),
        TaskSpec("uplink", parts.uplink.run),
        *_identity_tasks(config, parts),
    ):
        parts.supervisor.start(spec)


def _identity_tasks(config: AgentConfig, parts: Parts) -> tuple[TaskSpec, ...]:
    """Renewal of the certificate, where this agent was enrolled."""
    if config.identity is None:
        return ()
    settings = RenewalSettings(config.identity.url, config.identity.folder)
    renewer = Renewer(settings, parts.recorder, parts.uplink, lambda: datetime.now(UTC))
    return (TaskSpec("identity", renewer.run),)


async def _keep_house(parts: Parts) -> None:
    while True:
        try:
            await parts.commands.keep_house()
            await parts.clock_trust.keep(parts.database)
        except StorageError as error:
            log.warning("housekeeping waits for the disk", error=str(error))
        await asyncio.sleep(HOUSEKEEPING_S)


async def _stop(parts: Parts) -> None:
    await parts.commands.close(COMMANDS_GRACE_S)
    tasks = [health.name for health in parts.supervisor.health]
    role_tasks = [name for name in tasks if name.startswith(f"{parts.role_name}: ")]
    await parts.supervisor.stop(role_tasks, TASKS_GRACE_S)
    await _make_safe(parts)
    try:
        await parts.clock_trust.keep(parts.database)
        await _tell(parts.recorder, "stopping", Severity.INFO, {})
    except StorageError as error:
        log.warning("the stop could not be recorded", error=str(error))
    await parts.uplink.stop(DRAIN_S)
    await parts.supervisor.ended(["uplink"], TASKS_GRACE_S)
    await parts.supervisor.stop(None, TASKS_GRACE_S)


async def _make_safe(parts: Parts) -> None:
    """The hardware's safe state; what goes wrong with it is said, and stops nothing."""
    making = asyncio.ensure_future(parts.role.make_safe())
    _, late = await asyncio.wait({making}, timeout=SAFE_STATE_DEADLINE_S)
    if late:
        making.cancel()
        await asyncio.wait({making}, timeout=TASKS_GRACE_S)
        log.error("the safe state was not reached in time", deadline_s=SAFE_STATE_DEADLINE_S)
        return
    error = making.exception()
    if error is not None:
        log.error("the safe state was not reached", exc_info=error)


async def _tell_crash(recorder: Recorder, health: TaskHealth) -> None:
    data: dict[str, str | int] = {
        "task": health.name,
        "crashes": health.crashes,
        "text": health.last_crash,
    }
    await _tell(recorder, "task_crashed", Severity.CRITICAL, data)


async def _tell(
    recorder: Recorder, what: str, severity: Severity, data: Mapping[str, str | int]
) -> None:
    await recorder.event(Event(EventKind.AGENT, severity, {"what": what, **data}))
