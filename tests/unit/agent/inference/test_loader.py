import hashlib
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from agent.inference import loader
from agent.inference.errors import (
    ModelHashMismatchError,
    ModelNotInManifestError,
    ModelRefusedError,
    ModelShapeError,
    ModelUnreadableError,
)
from agent.inference.loader import MANIFEST_FILE, load_model, shipped_folder
from agent.inference.price import MODEL_FILE
from tests.unit.agent.inference.model_folder import MANIFEST, linear_model, write_model


def test_a_file_that_its_manifest_names_is_loaded(tmp_path: Path) -> None:
    content = linear_model()
    model = load_model(write_model(tmp_path, content), MODEL_FILE)
    assert model.sha256 == hashlib.sha256(content).hexdigest()
    assert model.manifest.quantiles == MANIFEST.quantiles


def test_a_file_that_was_changed_by_one_bit_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, linear_model())
    path = tmp_path / MODEL_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelHashMismatchError, match="the manifest says"):
        load_model(tmp_path, MODEL_FILE)


def test_a_file_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, linear_model())
    (tmp_path / "other.onnx").write_bytes(linear_model())
    with pytest.raises(ModelNotInManifestError, match=r"price\.onnx"):
        load_model(tmp_path, "other.onnx")


def test_a_path_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    write_model(inner, linear_model())
    (tmp_path / MODEL_FILE).write_bytes(linear_model())
    with pytest.raises(ModelNotInManifestError):
        load_model(inner, f"../{MODEL_FILE}")


@pytest.mark.parametrize("missing", [MODEL_FILE, MANIFEST_FILE])
def test_an_absent_model_or_manifest_is_refused(tmp_path: Path, missing: str) -> None:
    write_model(tmp_path, linear_model())
    (tmp_path / missing).unlink()
    with pytest.raises(ModelUnreadableError, match=missing):
        load_model(tmp_path, MODEL_FILE)


def test_a_broken_manifest_is_refused_with_the_field(tmp_path: Path) -> None:
    write_model(tmp_path, linear_model())
    (tmp_path / MANIFEST_FILE).write_text("{}")
    with pytest.raises(ModelUnreadableError, match="exactly"):
        load_model(tmp_path, MODEL_FILE)


def test_bytes_that_are_no_model_are_refused_although_vouched_for(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadableError, match="no ONNX model"):
        load_model(write_model(tmp_path, b"not a model"), MODEL_FILE)


def test_a_file_beyond_the_size_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path, linear_model())
    monkeypatch.setattr(loader, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelUnreadableError, match="larger than 100 bytes"):
        load_model(tmp_path, MODEL_FILE)


@pytest.mark.parametrize(
    "content",
    [
        linear_model(columns=7),
        linear_model(outputs=2),
        linear_model(element=onnx.TensorProto.DOUBLE),
    ],
    ids=["columns", "outputs", "double"],
)
def test_a_model_of_another_shape_than_its_manifest_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(ModelShapeError):
        load_model(write_model(tmp_path, content), MODEL_FILE)


def test_every_refusal_is_one_kind_of_error() -> None:
    for kind in (
        ModelHashMismatchError,
        ModelNotInManifestError,
        ModelShapeError,
        ModelUnreadableError,
    ):
        assert issubclass(kind, ModelRefusedError)


def test_the_shipped_price_model_is_vouched_for() -> None:
    model = load_model(shipped_folder("price"), MODEL_FILE)
    assert model.manifest.name == "price"


def test_a_model_that_is_not_installed_is_refused() -> None:
    with pytest.raises(ModelUnreadableError, match="not installed"):
        shipped_folder("weather")


def test_an_agent_without_a_model_never_imports_the_runtime() -> None:
    code = (
        "import sys; import agent.inference.price, agent.inference.loader;"
        "print(sorted({'onnxruntime', 'numpy', 'lightgbm'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
