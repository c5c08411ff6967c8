"""The manifest beside a model: which files belong to it, by SHA-256, and what they expect.

Written by training, read by the agent before it loads anything.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shared.errors import BadInputError

MAX_MANIFEST_BYTES = 64 * 1024
_MAX_ENTRIES = 256
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Training:
    """What the model was made from: half-open span of UTC dates, rows, SHA-256 of the data file."""

    first_day: str
    end_day: str
    rows: int
    data_sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files` maps a file name to its SHA-256 (hex); the other fields describe the model's shape.

    `horizons_min` are the ends of the forecast intervals in minutes after the last known price.
    """

    name: str
    files: Mapping[str, str]
    features: tuple[str, ...]
    horizons_min: tuple[int, ...]
    quantiles: tuple[float, ...]
    training: Training
    libraries: Mapping[str, str]

    def to_json(self) -> str:
        """Indented JSON with sorted keys, the same for the same manifest."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def read_manifest(content: bytes) -> Manifest:
    """Parses a manifest; `BadInputError` names the first field that breaks its contract."""
    if len(content) > MAX_MANIFEST_BYTES:
        raise BadInputError("manifest", f"{len(content)} bytes", f"at most {MAX_MANIFEST_BYTES}")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError("manifest", f"no JSON: {error}", "a JSON object") from error
    fields = _object(data, "manifest", set(Manifest.__slots__))
    return Manifest(
        name=_text(fields["name"], "name"),
        files=_files(fields["files"]),
        features=tuple(_text(f, "features") for f in _list(fields["features"], "features")),
        horizons_min=tuple(
            _whole(h, "horizons_min") for h in _list(fields["horizons_min"], "horizons_min")
        ),
        quantiles=_levels(fields["quantiles"]),
        training=_training(fields["training"]),
        libraries={
            _text(name, "libraries"): _text(version, f"libraries.{name}")
            for name, version in _mapping(fields["libraries"], "libraries").items()
        },
    )


def _training(value: object) -> Training:
    fields = _object(value, "training", set(Training.__slots__))
    return Training(
        first_day=_text(fields["first_day"], "training.first_day"),
        end_day=_text(fields["end_day"], "training.end_day"),
        rows=_whole(fields["rows"], "training.rows"),
        data_sha256=_sha256(fields["data_sha256"], "training.data_sha256"),
    )


def _files(value: object) -> dict[str, str]:
    files: dict[str, str] = {}
    for name, digest in _mapping(value, "files").items():
        if not _FILE_NAME.fullmatch(name):
            raise BadInputError("files", repr(name)[:80], "plain file names without a folder")
        files[name] = _sha256(digest, f"files.{name}")
    return files


def _levels(value: object) -> tuple[float, ...]:
    levels = _list(value, "quantiles")
    for level in levels:
        if not isinstance(level, float) or not 0 < level < 1:
            raise BadInputError("quantiles", repr(level)[:80], "numbers between 0 and 1")
    if not levels or levels != sorted(set(levels)):
        raise BadInputError("quantiles", f"{levels}", "rising levels")
    return tuple(levels)


def _object(value: object, field: str, names: set[str]) -> dict[str, Any]:
    mapping = _mapping(value, field)
    if set(mapping) != names:
        raise BadInputError(field, f"keys {sorted(mapping)}"[:200], f"exactly {sorted(names)}")
    return mapping


def _mapping(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _MAX_ENTRIES:
        raise BadInputError(field, type(value).__name__, f"an object of at most {_MAX_ENTRIES}")
    return value


def _list(value: object, field: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
        raise BadInputError(field, type(value).__name__, f"a list of at most {_MAX_ENTRIES}")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise BadInputError(field, repr(value)[:80], "a text of 1 to 200 characters")
    return value


def _whole(value: object, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInputError(field, repr(value)[:80], "a whole number of at least 1")
    return value


def _sha256(value: object, field: str) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise BadInputError(field, repr(value)[:80], "64 lower-case hexadecimal digits")
    return value
