"""Model folders for tests: a small model with its manifest, made without any training."""

import hashlib
from dataclasses import replace
from pathlib import Path

import onnx
from onnx import helper

from agent.inference.loader import MANIFEST_FILE
from agent.inference.price import MODEL_FILE
from shared.price.features import FEATURE_NAMES
from shared.price.manifest import Manifest, Training

LEVELS = (0.1, 0.5, 0.9)
MANIFEST = Manifest(
    name="price",
    files={MODEL_FILE: "0" * 64},
    features=FEATURE_NAMES,
    horizons_min=(15, 30, 45, 60, 75, 90, 105, 120),
    quantiles=LEVELS,
    training=Training("2024-01-01", "2025-01-01", 1, "0" * 64),
    libraries={},
)


def linear_model(
    columns: int = len(FEATURE_NAMES),
    outputs: int = len(LEVELS),
    factor: float = 0.01,
    element: int = onnx.TensorProto.FLOAT,
) -> bytes:
    """Each output is `factor` times its number plus one, times the fifth feature."""
    weights = [0.0] * (columns * outputs)
    for number in range(outputs):
        weights[4 * outputs + number] = factor * (number + 1)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["offsets"])],
        "linear",
        [helper.make_tensor_value_info("features", element, [None, columns])],
        [helper.make_tensor_value_info("offsets", element, [None, outputs])],
        [helper.make_tensor("weights", element, [columns, outputs], weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def failing_model() -> bytes:
    """Declares the right shapes, but reshapes to 7 values whatever it is given."""
    columns, outputs = len(FEATURE_NAMES), len(LEVELS)
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["features", "shape"], ["offsets"])],
        "failing",
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("offsets", onnx.TensorProto.FLOAT, [None, outputs])],
        [helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [7, outputs])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def write_model(folder: Path, content: bytes, manifest: Manifest = MANIFEST) -> Path:
    """Writes the model and a manifest that vouches for it."""
    digest = hashlib.sha256(content).hexdigest()
    (folder / MODEL_FILE).write_bytes(content)
    vouched = replace(manifest, files={MODEL_FILE: digest})
    (folder / MANIFEST_FILE).write_text(vouched.to_json(), encoding="utf-8")
    return folder
