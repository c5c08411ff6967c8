"""The audit log's background work, from its configuration."""

from controller.audit.authority import Authority
from controller.audit.config import AuditConfig
from controller.audit.integrator import Integrator, Signing
from controller.audit.notes import HeadSigner
from controller.audit.stamps import load_roots
from controller.audit.timestamps import StampRules, Timestamper
from controller.background import Worker
from controller.services import Services
from shared.errors import BadInputError

_MAX_ROOTS_BYTES = 1_000_000
_LOOK_EVERY_S = 60.0


def audit_workers(services: Services, config: AuditConfig) -> list[Worker]:
    """The integrator, and the timestamper where an authority is configured; `BadInputError` for
    files that cannot be used."""
    integrator = Integrator(services.storage, services.clock, signing(config), services.metrics)
    workers = [Worker("audit-integrator", integrator.round, config.every_s)]
    if config.timestamp_url is not None and config.timestamp_roots_file is not None:
        try:
            with config.timestamp_roots_file.open("rb") as file:
                content = file.read(_MAX_ROOTS_BYTES)
        except OSError as error:
            raise BadInputError(
                "audit.timestamp_roots_file", str(error), "a readable file"
            ) from error
        rules = StampRules(
            roots=load_roots(content, "audit.timestamp_roots_file"),
            every_ms=int(config.timestamp_every_s * 1_000),
        )
        timestamper = Timestamper(
            services.storage,
            services.clock,
            Authority(config.timestamp_url),
            rules,
            services.metrics,
        )
        every_s = min(_LOOK_EVERY_S, config.timestamp_every_s)
        workers.append(Worker("audit-timestamps", timestamper.round, every_s))
    return workers


def signing(config: AuditConfig) -> Signing:
    """How heads are signed; `BadInputError` for a key file that cannot be used."""
    if config.signing_key_file is None:
        return Signing(config.origin, None)
    return Signing(config.origin, HeadSigner.load(config.origin, config.signing_key_file))
