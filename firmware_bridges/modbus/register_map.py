"""Register maps: data files (TOML) that say where a device keeps which reading.

A map is either a list of register groups at fixed addresses, or a SunSpec layout whose blocks are
found on the device. Shipped maps lie in `maps/`; an operator's own is named by its absolute path.
"""

import re
import tomllib
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import BadInputError

MAX_MAP_BYTES = 256 * 1024
MAX_READ_REGISTERS = 125
"""Most registers of one request (Modbus Application Protocol V1.1b3, 6.3)."""
MAX_OUTLETS = 96

_SCALAR_FIELDS = frozenset(
    {
        "power_w",
        "reactive_power_var",
        "apparent_power_va",
        "power_factor",
        "frequency_hz",
        "energy_import_wh",
        "energy_export_wh",
        "temperature_c",
        "humidity_pct",
        "identity.model",
        "identity.firmware",
        "identity.serial",
    }
)
_INDEXED_FIELD = re.compile(r"l[123]\.(voltage_v|current_a|power_w)|outlet\.[1-9]\d?\.power_w")


class Table(StrEnum):
    """The four tables of the Modbus data model."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"


class PointType(StrEnum):
    """How a value is laid into registers.

    `acc32` is SunSpec's counter, `pf_4q` Schneider's four-quadrant power factor in a float.
    """

    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"
    ACC32 = "acc32"
    PF_4Q = "pf_4q"
    TEXT = "text"


WORDS = {
    PointType.U16: 1,
    PointType.I16: 1,
    PointType.U32: 2,
    PointType.I32: 2,
    PointType.U64: 4,
    PointType.I64: 4,
    PointType.F32: 2,
    PointType.ACC32: 2,
    PointType.PF_4Q: 2,
}


def _known_field(name: str) -> str:
    if name not in _SCALAR_FIELDS and not _INDEXED_FIELD.fullmatch(name):
        msg = f"{', '.join(sorted(_SCALAR_FIELDS))}, l1.voltage_v, outlet.1.power_w and the like"
        raise ValueError(f"unknown field {name!r}; allowed: {msg}")
    return name


FieldName = Annotated[str, AfterValidator(_known_field)]
Address = Annotated[int, Field(ge=0, le=65_535)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Strict):
    """One value: `at` counts registers from its group's first; the value is
    raw x `scale` x 10^(register `scale_at`)."""

    field: FieldName
    at: int = Field(ge=0, lt=MAX_READ_REGISTERS)
    type: PointType
    words: int | None = Field(default=None, ge=1, le=32)
    scale: float = Field(default=1.0, gt=0)
    scale_at: int | None = Field(default=None, ge=0, lt=MAX_READ_REGISTERS)
    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _words_for_text_only(self) -> "Point":
        if (self.type is PointType.TEXT) != (self.words is not None):
            raise ValueError("words belongs to type text, which needs it")
        return self

    @property
    def size(self) -> int:
        """Registers it takes."""
        return self.words if self.words is not None else WORDS[self.type]


class Group(_Strict):
    """Registers read in one request. `once`: read once and kept until the device was away; such
    groups belong at the end."""

    name: str = Field(min_length=1, max_length=40)
    table: Literal[Table.HOLDING, Table.INPUT]
    address: Address
    count: int = Field(ge=1, le=MAX_READ_REGISTERS)
    once: bool = False
    points: tuple[Point, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _points_lie_inside(self) -> "Group":
        for point in self.points:
            if max(point.at + point.size, (point.scale_at or 0) + 1) > self.count:
                raise ValueError(f"{point.field} reaches beyond the {self.count} registers")
        return self


class SunSpecBlock(_Strict):
    """A model of the SunSpec list: `models` are the ids that have this layout; offsets count from
    the id register. `length` is the shortest that the L register may say."""

    models: tuple[int, ...] = Field(min_length=1)
    length: int = Field(ge=1, le=MAX_READ_REGISTERS - 2)
    points: tuple[Point, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _points_lie_inside(self) -> "SunSpecBlock":
        for point in self.points:
            if max(point.at + point.size, (point.scale_at or 0) + 1) > self.length + 2:
                raise ValueError(f"{point.field} reaches beyond the block")
        return self


class SunSpecLayout(_Strict):
    """Where a SunSpec map may begin, and the blocks to take from it."""

    bases: tuple[Address, ...] = Field(min_length=1, max_length=8)
    common: SunSpecBlock
    meter: SunSpecBlock


class Outlets(_Strict):
    """Outlets on coils: outlet n is coil `coil` + n - 1; its state is read at `state` + n - 1."""

    count: int = Field(ge=1, le=MAX_OUTLETS)
    coil: Address
    state_table: Literal[Table.COIL, Table.DISCRETE] = Table.COIL
    state: Address


class RegisterMap(_Strict):
    """A device's registers; `source` names the vendor's document and section.

    `absent` gives for a type the raw value by which the device says "not implemented".
    """

    name: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    title: str = Field(min_length=1, max_length=120)
    source: str = Field(min_length=10, max_length=400)
    kind: Literal["meter", "switch"]
    word_order: Literal["big", "little"] = "big"
    absent: dict[PointType, int] = Field(default_factory=dict)
    groups: tuple[Group, ...] = Field(default=(), max_length=16)
    sunspec: SunSpecLayout | None = None
    outlets: Outlets | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "RegisterMap":
        if (self.kind == "switch") != (self.outlets is not None):
            raise ValueError("outlets belongs to kind switch, which needs it")
        if not (self.groups or self.sunspec or self.outlets):
            raise ValueError("a map needs groups, sunspec or outlets")
        sizes = [(group.table, group.count) for group in self.groups]
        if len(set(sizes)) != len(sizes):
            # RTU has no transaction number: only the length tells a late reply to one group from
            # the reply to another.
            raise ValueError("two groups of one table must differ in count")
        if self.outlets is not None:
            beyond = [n for n in outlet_numbers(self.fields) if n > self.outlets.count]
            if beyond:
                raise ValueError(f"outlet {beyond[0]} is beyond the {self.outlets.count} outlets")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that the map can fill, in its order."""
        points = [point for group in self.groups for point in group.points]
        if self.sunspec is not None:
            points += [*self.sunspec.common.points, *self.sunspec.meter.points]
        return tuple(dict.fromkeys(point.field for point in points))


def outlet_numbers(fields: tuple[str, ...]) -> list[int]:
    """The outlets that have a field of their own."""
    return [int(name.split(".")[1]) for name in fields if name.startswith("outlet.")]


def shipped_maps() -> tuple[str, ...]:
    """Names of the maps that come with this package."""
    folder = files("firmware_bridges.modbus") / "maps"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


@lru_cache(maxsize=64)
def load_map(name: str) -> RegisterMap:
    """A shipped map by its name, or a map file by its absolute path.

    Raises `BadInputError` naming the field `map` and what is wrong with the file.
    """
    if name in shipped_maps():
        text = (files("firmware_bridges.modbus") / "maps" / f"{name}.toml").read_text("utf-8")
    else:
        text = _own_file(name)
    try:
        return RegisterMap.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError("map", f"{name}: {error}", "a TOML file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError("map", f"{name}: {where}: {first['msg']}", "a register map") from error


def _own_file(name: str) -> str:
    allowed = f"{', '.join(shipped_maps())}, or the absolute path of a .toml file"
    path = Path(name)
    if not (path.is_absolute() and path.suffix == ".toml"):
        raise BadInputError("map", f"no map {name!r}", allowed)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MAP_BYTES + 1)
        if len(content) > MAX_MAP_BYTES:
            raise BadInputError("map", f"{name} is too long", f"at most {MAX_MAP_BYTES} bytes")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("map", f"{name}: {error}", allowed) from error
