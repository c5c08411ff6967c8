import json
from typing import Any

import pytest

from shared.errors import BadInputError
from shared.price.manifest import MAX_MANIFEST_BYTES, Manifest, Training, read_manifest

MANIFEST = Manifest(
    name="price",
    files={"price.onnx": "ab" * 32},
    features=("horizon", "day_ahead"),
    horizons_min=(15, 30),
    quantiles=(0.1, 0.5, 0.9),
    training=Training("2024-01-01", "2025-01-01", 35_000, "cd" * 32),
    libraries={"lightgbm": "4.7.0"},
)


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert read_manifest(MANIFEST.to_json().encode()) == MANIFEST


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("files", []),
        ("files", {"../price.onnx": "ab" * 32}),
        ("files", {"price.onnx": "AB" * 32}),
        ("files", {"price.onnx": "ab"}),
        ("features", "horizon"),
        ("features", [1]),
        ("horizons_min", [0]),
        ("horizons_min", [True]),
        ("quantiles", []),
        ("quantiles", [0.5, 0.1]),
        ("quantiles", [0.5, 1.5]),
        ("training", {"first_day": "2024-01-01"}),
        ("libraries", {"lightgbm": 4}),
        ("unknown", 1),
    ],
)
def test_a_field_that_breaks_its_contract_is_refused_by_name(field: str, value: Any) -> None:
    data = json.loads(MANIFEST.to_json())
    data[field] = value
    with pytest.raises(BadInputError, match="manifest" if field == "unknown" else field):
        read_manifest(json.dumps(data).encode())


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 20_000, b"1", b" " * (MAX_MANIFEST_BYTES + 1)]
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError, match="manifest"):
        read_manifest(content)
