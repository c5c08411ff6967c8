"""Bytes and base64 to a `Psbt` and back. Every map is written in the order of its keys."""

import base64
import binascii
import struct
from typing import Any, Final

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt.fields import GLOBAL, INPUT, OUTPUT
from shared.bitcoin.psbt.maps import (
    Kind,
    Records,
    read_map,
    to_attributes,
    to_records,
    write_map,
)
from shared.bitcoin.psbt.model import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.psbt.spent import check_utxos
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from shared.bitcoin.wire import Reader, varint

MAGIC: Final = b"psbt\xff"
MAX_SIZE: Final = 8 * 1024 * 1024
MAX_INPUTS: Final = 10_000
MAX_OUTPUTS: Final = 10_000

_VERSION_KEY: Final = b"\xfb"
_UNSIGNED_KEY: Final = b"\x00"
_GLOBALS: Final = Kind("global", GLOBAL)
_COUNTED: Final = ("version", "input_count", "output_count", "unsigned")


def parse(data: bytes) -> Psbt:
    """Read a PSBT of version 0 or 2. Raises PsbtError naming the map and the key."""
    if len(data) > MAX_SIZE:
        raise PsbtError("psbt", f"{len(data)} bytes", f"up to {MAX_SIZE} bytes")
    if not data.startswith(MAGIC):
        raise PsbtError("psbt", "no PSBT", "the magic 70736274ff")
    reader = Reader(data[len(MAGIC) :])
    records = read_map(reader, _GLOBALS)
    version = _version(records)
    held = to_attributes(records, _GLOBALS, version)
    if version == 0:
        unsigned: Transaction = held.pop("unsigned")
        held |= {"tx_version": unsigned.version, "fallback_lock_time": unsigned.lock_time}
        _count(len(unsigned.inputs), "inputs", MAX_INPUTS, reader)
        _count(len(unsigned.outputs), "outputs", MAX_OUTPUTS, reader)
        bases_in = [_input_base(one, at) for at, one in enumerate(unsigned.inputs)]
        bases_out = [_output_base(one) for one in unsigned.outputs]
    else:
        bases_in = [{}] * _count(held["input_count"], "inputs", MAX_INPUTS, reader)
        bases_out = [{}] * _count(held["output_count"], "outputs", MAX_OUTPUTS, reader)
    for name in _COUNTED:
        held.pop(name, None)
    inputs = tuple(_read_input(reader, at, version, base) for at, base in enumerate(bases_in))
    outputs = tuple(_read_output(reader, at, version, base) for at, base in enumerate(bases_out))
    if reader.remaining:
        raise PsbtError("psbt", f"{reader.remaining} bytes after the last map", "nothing more")
    psbt = Psbt(version=version, inputs=inputs, outputs=outputs, **held)
    check_utxos(psbt)
    return psbt


def serialise(psbt: Psbt) -> bytes:
    """The bytes of a PSBT in its own version."""
    parts = [MAGIC, write_map(_global_records(psbt))]
    parts += [write_map(input_records(one, psbt.version)) for one in psbt.inputs]
    parts += [write_map(output_records(one, psbt.version)) for one in psbt.outputs]
    return b"".join(parts)


def from_base64(text: str) -> Psbt:
    """Read the text form, which is canonical base64 and nothing around it. Raises PsbtError."""
    allowed = "canonical base64"
    if len(text) > MAX_SIZE * 4 // 3 + 4:
        raise PsbtError("psbt", f"{len(text)} characters", f"up to {MAX_SIZE} bytes in base64")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as refused:
        raise PsbtError("psbt", "not base64", allowed) from refused
    if base64.b64encode(data).decode() != text:
        raise PsbtError("psbt", "not canonical", allowed)
    return parse(data)


def to_base64(psbt: Psbt) -> str:
    """The text form."""
    return base64.b64encode(serialise(psbt)).decode()


def input_records(one: PsbtInput, version: int) -> Records:
    """An input's raw records, for combining."""
    return to_records(INPUT.values(), one, version)


def output_records(one: PsbtOutput, version: int) -> Records:
    """An output's raw records, for combining."""
    return to_records(OUTPUT.values(), one, version)


def input_of(records: Records, at: int, version: int, base: dict[str, Any]) -> PsbtInput:
    """An input from raw records; `base` has what version 0 keeps in the transaction."""
    return PsbtInput(**base, **to_attributes(records, Kind(f"inputs[{at}]", INPUT), version))


def output_of(records: Records, at: int, version: int, base: dict[str, Any]) -> PsbtOutput:
    """An output from raw records; `base` has what version 0 keeps in the transaction."""
    return PsbtOutput(**base, **to_attributes(records, Kind(f"outputs[{at}]", OUTPUT), version))


def _read_input(reader: Reader, at: int, version: int, base: dict[str, Any]) -> PsbtInput:
    return input_of(read_map(reader, Kind(f"inputs[{at}]", INPUT)), at, version, base)


def _read_output(reader: Reader, at: int, version: int, base: dict[str, Any]) -> PsbtOutput:
    return output_of(read_map(reader, Kind(f"outputs[{at}]", OUTPUT)), at, version, base)


def _version(records: Records) -> int:
    value = records.get(_VERSION_KEY)
    if value is None:
        return 0
    version = int.from_bytes(value, "little") if len(value) == 4 else None
    if version not in (0, 2):
        raise _GLOBALS.error(_VERSION_KEY, value[:8].hex() or "empty", "0 or 2, in 4 bytes")
    return version


def _count(count: int, what: str, most: int, reader: Reader) -> int:
    if count > most or count > reader.remaining:
        raise PsbtError(f"global.{what}", f"{count} of them", f"a map for each, up to {most}")
    return count


def _global_records(psbt: Psbt) -> Records:
    records = dict(psbt.others)
    for key, origin in psbt.xpubs.items():
        records[b"\x01" + key] = GLOBAL[0x01].value.encode(origin)
    if psbt.version == 0:
        records[_UNSIGNED_KEY] = psbt.unsigned.serialise_without_witness()
        return records
    records[b"\x02"] = GLOBAL[0x02].value.encode(psbt.tx_version)
    if psbt.fallback_lock_time is not None:
        records[b"\x03"] = GLOBAL[0x03].value.encode(psbt.fallback_lock_time)
    records[b"\x04"] = varint(len(psbt.inputs))
    records[b"\x05"] = varint(len(psbt.outputs))
    if psbt.modifiable is not None:
        records[b"\x06"] = GLOBAL[0x06].value.encode(psbt.modifiable)
    records[_VERSION_KEY] = struct.pack("<I", psbt.version)
    return records


def _input_base(one: TxIn, at: int) -> dict[str, Any]:
    if one.script_sig:
        problem = f"input {at} has a scriptSig"
        raise _GLOBALS.error(_UNSIGNED_KEY, problem, "empty scriptSigs")
    place = one.outpoint
    return {
        "previous_txid": place.txid,
        "output_index": place.vout,
        "sequence": one.sequence,
    }


def _output_base(one: TxOut) -> dict[str, Any]:
    return {"amount_sat": one.amount_sat, "script_pubkey": one.script_pubkey}
