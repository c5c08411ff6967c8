"""What a loaded model costs in memory, measured in a process that has nothing else."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import psutil

from agent.inference.loader import shipped_folder
from agent.inference.price import load_price_forecaster
from tests.bench.report import Case

_MB = 1_000_000


def memory_case() -> Case:
    """Resident memory that onnxruntime, numpy and the model add to a fresh Python process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return Case("memory, runtime and model", pool.submit(_added_mb).result(120), "MB")


def _added_mb() -> float:
    process = psutil.Process()
    before = process.memory_info().rss
    forecaster = load_price_forecaster(shipped_folder("price"))
    added = process.memory_info().rss - before
    if forecaster.model is None:
        raise RuntimeError("the shipped model is not there")
    return float(added) / _MB
