"""Boosters to one ONNX file: one tree ensemble with one output column a quantile.

onnxmltools and onnxruntime carry no types of their own and are imported as `Any`.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import lightgbm
import numpy as np
import onnx
from onnx import helper

from models.price.dataset import Floats, Singles
from models.price.forest import ML_DOMAIN, ML_OPSET, Forest

INPUT = "features"
OUTPUT = "offsets"
PARITY = 1e-4
_CONVERTER_OPSET = 15
_OPSET = 21
_IR_VERSION = 10
_ENSEMBLE = "TreeEnsembleRegressor"


class ExportError(Exception):
    """The exported model does not answer as the native one does, or has an unknown form."""


def to_onnx(boosters: Sequence[lightgbm.Booster], columns: int) -> bytes:
    """One model over float32 [n, columns] with float32 [n, len(boosters)] out."""
    forest = Forest()
    for number, booster in enumerate(boosters):
        forest.add(_ensemble(booster, columns), number)
    graph = helper.make_graph(
        [forest.to_node(INPUT, OUTPUT, len(boosters))],
        "price",
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [None, len(boosters)])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="models.price.train"
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _ensemble(booster: lightgbm.Booster, columns: int) -> dict[str, Any]:
    """The attributes of the one tree ensemble that onnxmltools makes of a booster."""
    onnxmltools: Any = import_module("onnxmltools")
    types: Any = import_module("onnxmltools.convert.common.data_types")
    converted = onnxmltools.convert_lightgbm(
        booster,
        initial_types=[(INPUT, types.FloatTensorType([None, columns]))],
        target_opset=_CONVERTER_OPSET,
        zipmap=False,
    )
    nodes = [node for node in converted.graph.node if node.op_type == _ENSEMBLE]
    others = {node.op_type for node in converted.graph.node} - {_ENSEMBLE, "Identity"}
    if len(nodes) != 1 or others:
        raise ExportError(f"{len(nodes)} ensembles and {sorted(others)}, expected one ensemble")
    return {a.name: helper.get_attribute_value(a) for a in nodes[0].attribute}


def run_onnx(content: bytes, table: Singles) -> Floats:
    """The model's answers [n, quantiles] for a table [n, features]."""
    onnxruntime: Any = import_module("onnxruntime")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (answers,) = session.run([OUTPUT], {INPUT: table})
    return np.asarray(answers, dtype=np.float64)


def run_native(boosters: Sequence[lightgbm.Booster], table: Singles) -> Floats:
    """LightGBM's answers [n, quantiles] for the same table."""
    return np.column_stack(
        [np.asarray(booster.predict(table, num_threads=1)) for booster in boosters]
    )


def largest_difference(
    content: bytes, boosters: Sequence[lightgbm.Booster], table: Singles
) -> float:
    """The largest absolute difference of any answer to any row."""
    return float(np.abs(run_onnx(content, table) - run_native(boosters, table)).max())
