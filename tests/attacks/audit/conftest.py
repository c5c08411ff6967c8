"""A log of 24 leaves in four groups, its head kept after the second, exported once a session."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.audit.authority import Authority
from controller.audit.cli import main
from controller.audit.stamps import load_roots
from controller.audit.timestamps import StampRules, Timestamper
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from tests.audit_logs import KEY, OTHER_KEY, Record, exported, fill, lines, records
from tests.nodes import StillClock
from tests.timestamp_authority import TimestampAuthority, make_authority, served

GROUPS = (7, 5, 9, 3)
KEPT = 12


@dataclass(frozen=True, slots=True)
class Auditor:
    """Someone with the log's public key and a head kept earlier, on a host of his own."""

    folder: Path
    export: tuple[Record, ...]
    capture: pytest.CaptureFixture[str]

    def refuses(self, attacked: list[Record] | bytes, *more: str) -> str:
        """What `bes audit verify` says; fails unless it refuses with exit status 1."""
        status = self.verify(attacked, *more)
        told = self.capture.readouterr()
        assert status == 1, told
        assert not told.out
        assert "does not hold" in told.err
        return told.err

    def verify(self, attacked: list[Record] | bytes, *more: str) -> int:
        """The exit status of `bes audit verify` with the log's key."""
        content = attacked if isinstance(attacked, bytes) else b"".join(lines(attacked))
        file = self.folder / "export.jsonl"
        file.write_bytes(content)
        return main(["verify", str(file), "--key", str(self.folder / "key.pem"), *more])

    @property
    def kept(self) -> tuple[str, str]:
        """The argument that names the head kept at `KEPT` leaves."""
        return "--previous", str(self.folder / "kept.head")

    @property
    def roots(self) -> tuple[str, str]:
        """The argument that names the timestamp authority's roots."""
        return "--authority-roots", str(self.folder / "roots.pem")

    def head(self, size: int) -> Record:
        """The line of the head of a size."""
        return next(one for one in self.export if "head" in one and f"\n{size}\n" in one["head"])


@dataclass(frozen=True, slots=True)
class Made:
    """What was made once: the honest export, and the authority that stamped its heads."""

    export: tuple[Record, ...]
    authority: TimestampAuthority


@pytest.fixture(scope="session")
def make_log(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Storage]:
    """A fresh database each time."""

    def made() -> Storage:
        file = tmp_path_factory.mktemp("log") / "controller.db"
        shutil.copyfile(sqlite_template, file)
        return Storage(f"sqlite:///{file}")

    return made


@pytest.fixture(scope="session")
def made(
    make_log: Callable[[], Storage], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    """The honest log, its second and last heads timestamped."""
    storage, clock = make_log(), StillClock()
    with served(make_authority(tmp_path_factory.mktemp("authority"))) as authority:
        roots = load_roots(authority.roots_file.read_bytes(), "roots")
        stamper = Timestamper(
            storage, clock, Authority(authority.url), StampRules(roots, 1_000), ControllerMetrics()
        )
        fill(storage, *GROUPS[:2])
        stamper.round()
        clock.time_ms += 10_000
        fill(storage, *GROUPS[2:], first=sum(GROUPS[:2]))
        stamper.round()
    yield Made(tuple(records(exported(storage))), authority)
    storage.close()


@pytest.fixture
def auditor(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Auditor:
    """With the log's key, another key, the authority's roots and the kept head as files."""
    for name, key in (("key", KEY), ("other", OTHER_KEY)):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pem").write_bytes(pem)
    shutil.copyfile(made.authority.roots_file, tmp_path / "roots.pem")
    found = Auditor(tmp_path, made.export, capsys)
    (tmp_path / "kept.head").write_text(found.head(KEPT)["head"])
    return found
