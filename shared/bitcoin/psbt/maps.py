"""The container of every PSBT version: maps of raw records (BIP174 "Specification").

<map> := <keypair>* 0x00,  <keypair> := <key length> <key> <value length> <value>
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.bitcoin.errors import BitcoinError, PsbtError
from shared.bitcoin.psbt.fields import Field
from shared.bitcoin.wire import Reader, var_bytes

MAX_RECORDS: Final = 5_000
"""In one map; a hundred signers' nonces and signatures of twenty leaves fit."""
_SHOWN_KEY_BYTES: Final = 16

Records = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Kind:
    """A map's place in the PSBT and its table: `inputs[3]` and the input fields."""

    place: str
    fields: dict[int, Field]

    def error(self, key: bytes, problem: str, allowed: str) -> PsbtError:
        """The error at one key: `inputs[3].PSBT_IN_PARTIAL_SIG(02…)`."""
        row = self.fields.get(key[0])
        name = row.name if row is not None else f"key 0x{key[0]:02x}"
        data = key[1 : 1 + _SHOWN_KEY_BYTES].hex()
        shown = f"({data}{'…' if len(key) > 1 + _SHOWN_KEY_BYTES else ''})" if data else ""
        return PsbtError(f"{self.place}.{name}{shown}", problem, allowed)


def read_map(reader: Reader, kind: Kind) -> Records:
    """Read one map to its separator. Raises PsbtError for a key that comes twice."""
    records: Records = {}
    while key := _part(reader, kind):
        if key in records:
            raise kind.error(key, "comes twice", "each key once in a map")
        if len(records) == MAX_RECORDS:
            raise PsbtError(kind.place, "too many records", f"up to {MAX_RECORDS}")
        _check_key_type(key, kind)
        records[key] = _part(reader, kind)
    return records


def _part(reader: Reader, kind: Kind) -> bytes:
    try:
        return reader.var_bytes()
    except BitcoinError as cut:
        raise PsbtError(kind.place, cut.problem, "whole records and a separator") from cut


def _check_key_type(key: bytes, kind: Kind) -> None:
    """BIP174: the type is a compact size in its shortest form."""
    try:
        Reader(key).varint()
    except BitcoinError as refused:
        raise kind.error(key, refused.problem, "a minimal compact size type") from refused


def write_map(records: Records) -> bytes:
    """The records in the order of their keys, and the separator."""
    parts = [var_bytes(key) + var_bytes(records[key]) for key in sorted(records)]
    parts.append(b"\x00")
    return b"".join(parts)


def to_attributes(records: Records, kind: Kind, version: int) -> dict[str, Any]:
    """The model's attributes from a map's records, and `others`. Raises PsbtError at the key."""
    attributes: dict[str, Any] = {}
    others: Records = {}
    for key, value in sorted(records.items()):
        row = kind.fields.get(key[0])
        if row is None:
            others[key] = value
            continue
        if row.only not in (None, version):
            raise kind.error(key, f"in version {version}", f"version {row.only} only")
        try:
            row.check_key(key[1:], value)
            decoded = row.value.decode(value)
        except BitcoinError as refused:
            raise kind.error(key, refused.problem, refused.allowed) from refused
        if row.keyed:
            attributes.setdefault(row.attribute, {})[key[1:]] = decoded
        else:
            attributes[row.attribute] = decoded
    for row in kind.fields.values():
        if row.required and row.only == version and row.attribute not in attributes:
            raise PsbtError(f"{kind.place}.{row.name}", "missing", f"required in version {version}")
    attributes["others"] = others
    return attributes


def to_records(fields: Iterable[Field], attributes: Any, version: int) -> Records:
    """The records of a model object; `attributes` has each field's attribute."""
    records: Records = dict(attributes.others)
    for row in fields:
        if row.only not in (None, version):
            continue
        held = getattr(attributes, row.attribute)
        prefix = bytes([row.key_type])
        if row.keyed:
            for data, value in held.items():
                records[prefix + data] = row.value.encode(value)
        elif held is not None:
            records[prefix] = row.value.encode(held)
    return records
