"""Transactions: outpoints, inputs, outputs, their serialisation (BIP144), ids and weight (BIP141).

Values are immutable. Ids are bytes in the order of the wire; `hex` shows them turned round, as
explorers and Bitcoin Core do.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.errors import EncodingError, TransactionError
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.wire import MAX_BYTES, MAX_U32, Reader, var_bytes, varint

TXID_BYTES = 32
WITNESS_SCALE_FACTOR = 4
MAX_SEQUENCE: Final = 0xFFFFFFFF
"""An input with it signals neither replacement nor a lock time of any kind."""
NULL_TXID: Final = bytes(TXID_BYTES)

_SMALLEST_INPUT_BYTES = 41
_SMALLEST_OUTPUT_BYTES = 9
_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_SEGWIT_MARK = b"\x00\x01"


def display(identifier: bytes) -> str:
    """A transaction or block id as people write it: hex, last byte first."""
    return identifier[::-1].hex()


def identifier_of(text: str) -> bytes:
    """The id in wire order from 64 hex digits as people write it, else EncodingError."""
    try:
        identifier = bytes.fromhex(text)
    except ValueError:
        identifier = b""
    if len(identifier) != TXID_BYTES or len(text) != 2 * TXID_BYTES:
        raise EncodingError("transaction id", repr(text[:80]), "64 hex digits")
    return identifier[::-1]


@dataclass(frozen=True, slots=True, order=True)
class OutPoint:
    """One output of one transaction: the id's 32 bytes in wire order, and the output's index."""

    txid: bytes
    vout: int

    def __post_init__(self) -> None:
        if len(self.txid) != TXID_BYTES:
            raise TransactionError("txid", f"{len(self.txid)} bytes", f"{TXID_BYTES} bytes")
        if not 0 <= self.vout <= MAX_U32:
            raise TransactionError("vout", str(self.vout), f"from 0 to {MAX_U32}")

    @classmethod
    def of_text(cls, text: str) -> "OutPoint":
        """The outpoint that `hex` writes, else EncodingError."""
        txid, colon, vout = text.partition(":")
        is_number = len(vout) <= 10 and vout.isascii() and vout.isdigit()
        if not colon or not is_number or str(int(vout)) != vout or int(vout) > MAX_U32:
            raise EncodingError("outpoint", repr(text[:80]), "transaction id, colon, output index")
        return cls(identifier_of(txid), int(vout))

    @property
    def hex(self) -> str:
        """`<transaction id as people write it>:<output index>`."""
        return f"{display(self.txid)}:{self.vout}"

    @property
    def is_null(self) -> bool:
        """Whether it is a coinbase's: no output at all."""
        return self.vout == MAX_U32 and self.txid == NULL_TXID

    def serialise(self) -> bytes:
        """36 bytes."""
        return self.txid + _U32.pack(self.vout)


@dataclass(frozen=True, slots=True)
class TxIn:
    """What is spent, and what permits it."""

    outpoint: OutPoint
    script_sig: bytes = b""
    sequence: int = MAX_SEQUENCE
    witness: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.sequence <= MAX_SEQUENCE:
            raise TransactionError("sequence", str(self.sequence), f"from 0 to {MAX_SEQUENCE}")

    def serialise_witness(self) -> bytes:
        """The witness stack behind its count."""
        return varint(len(self.witness)) + b"".join(map(var_bytes, self.witness))


@dataclass(frozen=True, slots=True)
class TxOut:
    """An amount and the script that says who may spend it."""

    amount_sat: int
    script_pubkey: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.amount_sat <= MAX_MONEY_SAT:
            raise TransactionError("amount_sat", str(self.amount_sat), f"from 0 to {MAX_MONEY_SAT}")

    def serialise(self) -> bytes:
        """Eight bytes of amount, and the script behind its length."""
        return _I64.pack(self.amount_sat) + var_bytes(self.script_pubkey)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction. Immutable, so that its serialisation without witness is made once and kept."""

    version: int
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    lock_time: int = 0
    _base: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _txid: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.version <= MAX_U32:
            raise TransactionError("version", str(self.version), f"from 0 to {MAX_U32}")
        if not 0 <= self.lock_time <= MAX_U32:
            raise TransactionError("lock_time", str(self.lock_time), f"from 0 to {MAX_U32}")

    @classmethod
    def parse(cls, data: bytes) -> "Transaction":
        """The transaction that `data` is, to its last byte; EncodingError for anything else.

        Refused as Bitcoin Core refuses them: counts and lengths longer than needed, an unknown
        flag, a witness part in which every stack is empty. No input or no output is refused too
        (consensus; `parse_without_witness` reads the one BIP174 allows).
        """
        if len(data) > MAX_BYTES:
            raise EncodingError("transaction", f"{len(data)} bytes", f"at most {MAX_BYTES}")
        reader = Reader(data, "transaction")
        transaction = cls.read(reader)
        reader.end()
        return transaction

    @classmethod
    def read(cls, reader: Reader) -> "Transaction":
        """The transaction that `reader` stands at, as in a block; refuses what `parse` refuses."""
        version = reader.u32()
        has_witness = reader.peek() == 0
        if has_witness and reader.take(2) != _SEGWIT_MARK:
            raise EncodingError("transaction", "no input, or an unknown flag", "inputs, flag 1")
        inputs, outputs = _read_inputs(reader), _read_outputs(reader)
        if not inputs or not outputs:
            raise EncodingError("transaction", "no input or no output", "at least one of each")
        if has_witness:
            inputs = _read_witnesses(reader, inputs)
        return cls(version, inputs, outputs, reader.u32())

    @classmethod
    def parse_without_witness(cls, data: bytes) -> "Transaction":
        """The transaction serialised in the old form, which alone may lack inputs or outputs.

        This is the form of an unsigned transaction in a PSBT (BIP174, PSBT_GLOBAL_UNSIGNED_TX).
        """
        reader = Reader(data, "transaction")
        version = reader.u32()
        inputs, outputs = _read_inputs(reader), _read_outputs(reader)
        transaction = cls(version, inputs, outputs, reader.u32())
        reader.end()
        return transaction

    @property
    def has_witness(self) -> bool:
        """Whether any input carries a witness."""
        return any(one.witness for one in self.inputs)

    @property
    def is_coinbase(self) -> bool:
        """Whether it creates coins: its one input spends no output."""
        return len(self.inputs) == 1 and self.inputs[0].outpoint.is_null

    def serialise(self) -> bytes:
        """The bytes that are broadcast: with witnesses (BIP144) where there are any."""
        base = self.serialise_without_witness()
        if not self.has_witness:
            return base
        witnesses = [one.serialise_witness() for one in self.inputs]
        return b"".join((base[:4], _SEGWIT_MARK, base[4:-4], *witnesses, base[-4:]))

    def serialise_without_witness(self) -> bytes:
        """The bytes that the transaction id hashes."""
        base = self._base
        if base is None:
            base = _serialise_base(self)
            object.__setattr__(self, "_base", base)
        return base

    @property
    def txid(self) -> bytes:
        """The id in wire order; witnesses do not change it."""
        txid = self._txid
        if txid is None:
            txid = sha256d(self.serialise_without_witness())
            object.__setattr__(self, "_txid", txid)
        return txid

    @property
    def wtxid(self) -> bytes:
        """The hash over all bytes in wire order (BIP141)."""
        return sha256d(self.serialise()) if self.has_witness else self.txid

    @property
    def hex(self) -> str:
        """The id as people write it."""
        return display(self.txid)

    @property
    def weight(self) -> int:
        """Weight units (BIP141): three times the size without witness, plus the whole size."""
        base = len(self.serialise_without_witness())
        return base * (WITNESS_SCALE_FACTOR - 1) + len(self.serialise())

    @property
    def vsize(self) -> int:
        """Virtual bytes: a quarter of the weight, rounded up."""
        return -(-self.weight // WITNESS_SCALE_FACTOR)

    def outpoint(self, vout: int) -> OutPoint:
        """The outpoint of its output `vout`, which it has, else TransactionError."""
        if not 0 <= vout < len(self.outputs):
            raise TransactionError("vout", str(vout), f"from 0 to {len(self.outputs) - 1}")
        return OutPoint(self.txid, vout)

    def with_witnesses(self, witnesses: Sequence[tuple[bytes, ...]]) -> "Transaction":
        """The same transaction with these witness stacks, one an input; its id does not change."""
        if len(witnesses) != len(self.inputs):
            raise TransactionError("witnesses", str(len(witnesses)), f"{len(self.inputs)} stacks")
        inputs = tuple(
            TxIn(one.outpoint, one.script_sig, one.sequence, witness)
            for one, witness in zip(self.inputs, witnesses, strict=True)
        )
        signed = Transaction(self.version, inputs, self.outputs, self.lock_time)
        object.__setattr__(signed, "_base", self._base)
        object.__setattr__(signed, "_txid", self._txid)
        return signed


def _serialise_base(transaction: Transaction) -> bytes:
    parts = [_U32.pack(transaction.version), varint(len(transaction.inputs))]
    for one in transaction.inputs:
        outpoint = one.outpoint
        parts += (
            outpoint.txid,
            _U32.pack(outpoint.vout),
            varint(len(one.script_sig)),
            one.script_sig,
            _U32.pack(one.sequence),
        )
    parts.append(varint(len(transaction.outputs)))
    for output in transaction.outputs:
        script_pubkey = output.script_pubkey
        parts += (_I64.pack(output.amount_sat), varint(len(script_pubkey)), script_pubkey)
    parts.append(_U32.pack(transaction.lock_time))
    return b"".join(parts)


def _read_inputs(reader: Reader) -> tuple[TxIn, ...]:
    inputs = []
    for _ in range(reader.count(_SMALLEST_INPUT_BYTES)):
        outpoint = OutPoint(reader.take(TXID_BYTES), reader.u32())
        inputs.append(TxIn(outpoint, reader.var_bytes(), reader.u32()))
    return tuple(inputs)


def _read_outputs(reader: Reader) -> tuple[TxOut, ...]:
    count = reader.count(_SMALLEST_OUTPUT_BYTES)
    return tuple(TxOut(reader.u64(), reader.var_bytes()) for _ in range(count))


def _read_witnesses(reader: Reader, inputs: tuple[TxIn, ...]) -> tuple[TxIn, ...]:
    read = []
    for one in inputs:
        witness = tuple(reader.var_bytes() for _ in range(reader.count(1)))
        read.append(TxIn(one.outpoint, one.script_sig, one.sequence, witness))
    if not any(one.witness for one in read):
        raise EncodingError(
            "transaction", "a witness part without a witness", "the form without witnesses"
        )
    return tuple(read)
