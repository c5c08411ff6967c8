"""Opens a model file after its manifest has vouched for its bytes."""

import ctypes
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Protocol

from agent.inference.errors import (
    ModelHashMismatchError,
    ModelNotInManifestError,
    ModelRunError,
    ModelShapeError,
    ModelUnreadableError,
)
from shared.errors import BadInputError
from shared.price.manifest import MAX_MANIFEST_BYTES, Manifest, read_manifest

MANIFEST_FILE = "manifest.json"
MAX_MODEL_BYTES = 16 * 1024 * 1024


class Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`, which carries no types of its own."""

    def get_inputs(self) -> Sequence[Any]: ...

    def get_outputs(self) -> Sequence[Any]: ...

    def run(self, output_names: None, inputs: Mapping[str, Any]) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A session over exactly the bytes that were hashed, and the manifest that named them."""

    session: Session
    manifest: Manifest
    file_name: str
    sha256: str

    def answer(self, rows: Sequence[Sequence[float]]) -> list[list[float]]:
        """One row of answers a row of inputs; `ModelRunError` when the runtime fails."""
        numpy: Any = import_module("numpy")
        table = numpy.asarray(rows, dtype=numpy.float32)
        name = self.session.get_inputs()[0].name
        try:
            (answers,) = self.session.run(None, {name: table})
        except Exception as error:  # its errors share no narrower base
            raise ModelRunError(str(error)[:200]) from error
        return [[float(value) for value in row] for row in answers]


def shipped_folder(model_name: str) -> Path:
    """The folder of a model that came with the suite; `ModelUnreadableError` if it did not."""
    try:
        return Path(str(resources.files(f"models.{model_name}")))
    except ModuleNotFoundError as error:
        raise ModelUnreadableError(Path(model_name), "not installed with the suite") from error


def load_model(folder: Path, file_name: str) -> LoadedModel:
    """Loads `file_name` of a model's folder; a `ModelRefusedError` says why it was not.

    The file is read once and the hashed bytes are the ones that run, so that it cannot be exchanged
    in between.
    """
    path = folder / file_name
    manifest = _manifest(folder / MANIFEST_FILE)
    expected = manifest.files.get(file_name)
    if expected is None:
        raise ModelNotInManifestError(path, f"not one of {sorted(manifest.files)} in its manifest")
    content = _read(path, MAX_MODEL_BYTES)
    actual = hashlib.sha256(content).hexdigest()
    if not hmac.compare_digest(actual, expected):
        raise ModelHashMismatchError(path, f"SHA-256 is {actual}, the manifest says {expected}")
    session = _session(path, content)
    _check_shape(path, session, manifest)
    return LoadedModel(session, manifest, file_name, actual)


def _manifest(path: Path) -> Manifest:
    try:
        return read_manifest(_read(path, MAX_MANIFEST_BYTES))
    except BadInputError as error:
        raise ModelUnreadableError(path, str(error)) from error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ModelUnreadableError(path, str(error.strerror)) from error
    if len(content) > max_bytes:
        raise ModelUnreadableError(path, f"larger than {max_bytes} bytes")
    return content


def _session(path: Path, content: bytes) -> Session:
    """One thread, and no arena or memory pattern: the agent's memory budget is tight."""
    onnxruntime: Any = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        session: Session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors share no narrower base
        raise ModelUnreadableError(path, f"no ONNX model: {str(error)[:200]}") from error
    _return_freed_memory()
    return session


def _return_freed_memory() -> None:
    """Opening a session frees some 13 MB that glibc would keep; another libc has no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _check_shape(path: Path, session: Session, manifest: Manifest) -> None:
    """One float input of a column a feature, one float output of a column a quantile."""
    for kind, nodes, columns in (
        ("input", session.get_inputs(), len(manifest.features)),
        ("output", session.get_outputs(), len(manifest.quantiles)),
    ):
        found = [(node.type, list(node.shape)) for node in nodes]
        if len(found) != 1 or found[0][0] != "tensor(float)" or found[0][1][1:] != [columns]:
            raise ModelShapeError(path, f"{kind} {found}, the manifest says {columns} columns")
