"""Blocks: the header's 80 bytes, its work, the merkle root, and the block's serialisation."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from shared.bitcoin.errors import EncodingError
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.transaction import Transaction, TxOut, display
from shared.bitcoin.wire import MAX_BYTES, Reader, varint

HEADER_BYTES = 80
MAX_BLOCK_WEIGHT = 4_000_000
COINBASE_MATURITY = 100
MEDIAN_TIME_SPAN = 11

_HEADER = struct.Struct("<i32s32sIII")
_SMALLEST_TRANSACTION_BYTES = 60


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block's header; ids in the order of the wire."""

    version: int
    previous: bytes
    merkle_root: bytes
    time_s: int
    bits: int
    nonce: int

    @classmethod
    def parse(cls, data: bytes) -> "BlockHeader":
        """The header that these 80 bytes are, else EncodingError."""
        if len(data) != HEADER_BYTES:
            raise EncodingError("block header", f"{len(data)} bytes", f"{HEADER_BYTES} bytes")
        return cls(*_HEADER.unpack(data))

    def serialise(self) -> bytes:
        """80 bytes."""
        return _HEADER.pack(
            self.version, self.previous, self.merkle_root, self.time_s, self.bits, self.nonce
        )

    @property
    def block_hash(self) -> bytes:
        """The block's id in wire order."""
        return sha256d(self.serialise())

    @property
    def target(self) -> int:
        """What the hash, read as a little-endian number, may not exceed; 0 where `bits` is none.

        The compact form of Core's `arith_uint256::SetCompact`; negative and overflowing ones are
        no target, hence 0, which no hash meets.
        """
        exponent, mantissa = self.bits >> 24, self.bits & 0x007FFFFF
        if self.bits & 0x00800000:
            return 0
        shift = 8 * (exponent - 3)
        target = mantissa << shift if shift >= 0 else mantissa >> -shift
        return target if target < 1 << 256 else 0

    @property
    def work(self) -> int:
        """The hashes that finding such a block takes on average (Core's `GetBlockProof`)."""
        target = self.target
        return (1 << 256) // (target + 1) if target else 0

    @property
    def has_work(self) -> bool:
        """Whether the hash meets the target."""
        return int.from_bytes(self.block_hash, "little") <= self.target


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output as of some block: where it was made, and whether a coinbase made it."""

    output: TxOut
    height: int
    is_coinbase: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A header with its transactions, the coinbase first."""

    header: BlockHeader
    transactions: tuple[Transaction, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Block":
        """The block that `data` is, to its last byte, else EncodingError."""
        if len(data) > MAX_BYTES:
            raise EncodingError("block", f"{len(data)} bytes", f"at most {MAX_BYTES}")
        reader = Reader(data, "block")
        header = BlockHeader.parse(reader.take(HEADER_BYTES))
        count = reader.count(_SMALLEST_TRANSACTION_BYTES)
        transactions = tuple(Transaction.read(reader) for _ in range(count))
        reader.end()
        return cls(header, transactions)

    def serialise(self) -> bytes:
        """The bytes that Core's engine takes."""
        transactions = b"".join(one.serialise() for one in self.transactions)
        return self.header.serialise() + varint(len(self.transactions)) + transactions

    @property
    def block_hash(self) -> bytes:
        """The block's id in wire order."""
        return self.header.block_hash

    @property
    def hex(self) -> str:
        """The id as people write it."""
        return display(self.block_hash)


def merkle_root(identifiers: Sequence[bytes]) -> bytes:
    """The root over at least one id; an odd one is paired with itself (consensus)."""
    row = list(identifiers)
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        row = [sha256d(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def has_own_merkle_root(block: Block) -> bool:
    """Whether the transactions are those that the header commits to."""
    identifiers = [one.txid for one in block.transactions]
    if len(set(identifiers)) != len(identifiers):  # CVE-2012-2459: a tail repeated
        return False
    return bool(identifiers) and merkle_root(identifiers) == block.header.merkle_root


def median_time_s(times_s: Sequence[int]) -> int:
    """The median time past (BIP113) of the last up to eleven headers' times."""
    last = sorted(times_s[-MEDIAN_TIME_SPAN:])
    return last[len(last) // 2]
