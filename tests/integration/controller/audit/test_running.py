"""The workers as the controller starts them: leaves find their way under a stamped head."""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from controller.app import create_services
from controller.audit.config import AuditConfig
from controller.audit.stamps import load_roots
from controller.audit.verify import Trust, verify
from controller.audit.workers import audit_workers
from controller.config import ControllerConfig, DatabaseConfig
from controller.storage.engine import Storage
from controller.storage.tables import audit_timestamps
from tests.audit_logs import KEY, ORIGIN, bodies, exported, queue
from tests.timestamp_authority import make_authority, served
from tests.waiting import wait_for


def count_stamps(storage: Storage) -> int:
    with storage.read() as conn:
        return conn.scalar(select(func.count()).select_from(audit_timestamps)) or 0


def test_what_is_queued_is_numbered_signed_and_timestamped(
    database_url: str, tmp_path: Path
) -> None:
    key_file = tmp_path / "audit.key"
    key_file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    services = create_services(ControllerConfig(database=DatabaseConfig(url=database_url)))
    with served(make_authority(tmp_path / "authority")) as authority:
        config = AuditConfig(
            origin=ORIGIN,
            signing_key_file=key_file,
            every_s=0.05,
            timestamp_url=authority.url,
            timestamp_roots_file=authority.roots_file,
            timestamp_every_s=1,
        )
        workers = audit_workers(services, config)
        for worker in workers:
            worker.start()
        try:
            queue(services.storage, 40)
            wait_for(lambda: len(bodies(services.storage)) == 40, "the numbers")
            wait_for(lambda: count_stamps(services.storage) > 0, "a timestamp")
        finally:
            for worker in workers:
                worker.stop()
        assert not any(worker.failing for worker in workers)
        roots = load_roots(authority.roots_file.read_bytes(), "roots")
    found = verify(exported(services.storage), Trust([KEY.public_key()], roots=roots))
    assert (found.leaves, found.signed_heads) == (40, found.heads)
    services.storage.close()
