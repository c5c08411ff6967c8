"""The embedded chain on disk: every block it ever processed, appended and flushed.

The engine keeps its databases in memory and is given the blocks again at the next start, which
rebuilds the index of coins too: one truth, and a crash loses nothing that `append` returned from.
"""

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from controller.chain.blocks import Block
from controller.chain.errors import ChainError
from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.transaction import Transaction
from shared.bitcoin.wire import MAX_BYTES, Reader, var_bytes

_RECORD = struct.Struct("<I4s")
_BLOCKS, _POOL = "blocks.bin", "mempool.bin"


class Journal:
    """The folder of one embedded chain; a second process is refused with `ChainError`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._pool_path = folder / _POOL
        self._path = folder / _BLOCKS
        self._file: IO[bytes] = self._path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ChainError(f"{folder} is in use by another process") from error

    def close(self) -> None:
        """Closes and unlocks it."""
        self._file.close()

    def blocks(self) -> Iterator[Block]:
        """Every block in the order of its appending; what a crash left incomplete is cut off.

        `ChainError` where a record in the middle does not match its checksum.
        """
        self._file.seek(0)
        end = self._path.stat().st_size
        while (at := self._file.tell()) < end:
            head = self._file.read(_RECORD.size)
            length, check = _RECORD.unpack(head) if len(head) == _RECORD.size else (0, b"")
            content = self._file.read(length) if 0 < length <= MAX_BYTES else b""
            is_last = at + _RECORD.size + length >= end
            if len(content) == length > 0 and sha256d(content)[:4] == check:
                yield Block.parse(content)
            elif is_last:
                self._file.truncate(at)
                break
            else:
                raise ChainError(f"{self._path}: the record at byte {at} is damaged")
        self._file.seek(0, os.SEEK_END)

    def append(self, blocks: Sequence[Block]) -> None:
        """Returns once they are on the disk."""
        for block in blocks:
            content = block.serialise()
            self._file.write(_RECORD.pack(len(content), sha256d(content)[:4]) + content)
        self._file.flush()
        os.fsync(self._file.fileno())

    def save_pool(self, transactions: Sequence[Transaction]) -> None:
        """At an orderly end, as a node does: a crash loses the mempool."""
        content = b"".join(var_bytes(one.serialise()) for one in transactions)
        partial = self._pool_path.with_suffix(".new")
        partial.write_bytes(content)
        partial.replace(self._pool_path)

    def load_pool(self) -> list[Transaction]:
        """What the last orderly end saved, parents first; `ChainError` if it is damaged."""
        if not self._pool_path.exists():
            return []
        reader, transactions = Reader(self._pool_path.read_bytes(), "mempool"), []
        try:
            while reader.remaining:
                transactions.append(Transaction.parse(reader.var_bytes()))
        except BitcoinError as error:
            raise ChainError(f"{self._pool_path}: {error}") from error
        return transactions
