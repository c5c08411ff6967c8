"""The ceremony of an authority in folders, through `bes ca`'s own command line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioning.ca.cli import main
from provisioning.ca.intermediate import IntermediateFolder
from provisioning.ca.root import RootFolder

PASSPHRASE = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A folder with a passphrase file, the root's folder and the controller's."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def root(self) -> RootFolder:
        """The root made first."""
        return RootFolder(self.folder / "root")

    @property
    def authority(self) -> IntermediateFolder:
        """The controller's."""
        return IntermediateFolder(self.folder / "authority")

    @property
    def passphrase_file(self) -> Path:
        """The passphrase of every root here."""
        path = self.folder / "passphrase"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(f"{PASSPHRASE}\n")
        return path

    def run(self, *arguments: object) -> str:
        """A step that succeeds; what it printed."""
        status = main([str(argument) for argument in arguments])
        printed = self.capsys.readouterr()
        assert (status, printed.err) == (0, "")
        return printed.out

    def refused(self, *arguments: object) -> str:
        """A step that is refused and changes no file; what it said."""
        before = self.files()
        status = main([str(argument) for argument in arguments])
        printed = self.capsys.readouterr()
        assert (status, printed.out) == (1, "")
        assert self.files() == before
        return printed.err

    def files(self) -> Mapping[str, bytes]:
        """Everything that stands in the folder."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def init(self, name: str = "Acme root 1", folder: Path | None = None) -> str:
        """Makes a root."""
        place = folder or self.root.path
        return self.run("init", "--folder", place, "--name", name, *self.passphrase())

    def passphrase(self) -> tuple[object, ...]:
        """The argument that names the passphrase's file."""
        return ("--passphrase-file", self.passphrase_file)

    def request(self, name: str = "Acme issuing 1") -> tuple[Path, str]:
        """Asks for an intermediate: the request's file and fingerprint."""
        folder = self.authority.path
        printed = self.run("intermediate", "request", "--folder", folder, "--name", name)
        lines = printed.splitlines()
        return Path(lines[0].split(": ")[1]), lines[1].split(": ")[1]

    def sign(self, request: Path, fingerprint: str, root: RootFolder | None = None) -> Path:
        """Signs a request; the file to carry back."""
        out = self.folder / f"signed-{fingerprint[-8:]}.pem"
        self.run(*self.signing(request, fingerprint, out, root))
        return out

    def signing(
        self, request: Path, fingerprint: str, out: Path, root: RootFolder | None = None
    ) -> tuple[object, ...]:
        """The arguments of a signing."""
        place = (root or self.root).path
        start = ("intermediate", "sign", "--root", place, "--request", request)
        return (*start, "--fingerprint", fingerprint, "--out", out, *self.passphrase())

    def installing(self, signed: Path, fingerprint: str | None = None) -> tuple[object, ...]:
        """The arguments of an installation."""
        start = ("intermediate", "install", "--folder", self.authority.path)
        pinned = ("--fingerprint", fingerprint) if fingerprint else ()
        return (*start, "--certificate", signed, *pinned)

    def shown(self, place: Path) -> list[dict[str, str | int]]:
        """`bes ca show --json`."""
        rows: list[dict[str, str | int]] = json.loads(self.run("show", place, "--json"))
        return rows

    def root_fingerprint(self, root: RootFolder | None = None) -> str:
        """Of a root."""
        return str(self.shown((root or self.root).certificate)[0]["fingerprint"])

    def whole(self) -> None:
        """From nothing to an intermediate in use."""
        self.init()
        signed = self.sign(*self.request())
        self.run(*self.installing(signed, self.root_fingerprint()))
