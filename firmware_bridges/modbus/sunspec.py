"""Finding the blocks of a SunSpec device. Pure: a generator that asks for registers.

Source: SunSpec Device Information Model Specification V1.1: the marker "SunS" at one of three base
addresses, then models as (id, length, data), ended by id 0xFFFF.
"""

from collections.abc import Generator
from dataclasses import dataclass

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError
from firmware_bridges.modbus.register_map import (
    MAX_READ_REGISTERS,
    SunSpecBlock,
    SunSpecLayout,
    Table,
)
from firmware_bridges.modbus.requests import Read, Reply

MARKER = (0x5375, 0x6E53)
"""ASCII "SunS"."""
_END = 0xFFFF
_MOST_MODELS = 40
_LAST_ADDRESS = 65_535

Walk = Generator[Read, Reply, "SunSpecBlocks"]
"""Yields reads, is sent their registers (or thrown the device's refusal)."""


@dataclass(frozen=True, slots=True)
class Block:
    """A model on the device: the address of its id register, its id and its L register."""

    address: int
    model: int
    length: int

    def read(self) -> Read:
        """The request for the block with its header, as far as one request reaches."""
        return Read(Table.HOLDING, self.address, min(self.length + 2, MAX_READ_REGISTERS))

    def heads(self, registers: Reply) -> bool:
        """Whether the registers begin with this block's header."""
        return registers[:2] == (self.model, self.length)


@dataclass(frozen=True, slots=True)
class SunSpecBlocks:
    """Where the device keeps what the layout wants; `common` may be missing."""

    common: Block | None
    meter: Block


def walk(layout: SunSpecLayout) -> Walk:
    """Finds the marker and walks the model list.

    Raises `MalformedReplyError` when there is no marker or no meter model.
    """
    address = (yield from _marker(layout)) + len(MARKER)
    common: Block | None = None
    seen: list[int] = []
    for _ in range(_MOST_MODELS):
        if address + 1 > _LAST_ADDRESS:
            break
        header = yield Read(Table.HOLDING, address, 2)
        block = Block(address, header[0], header[1])
        if block.model == _END:
            break
        seen.append(block.model)
        if _fits(block, layout.common):
            common = common or block
        if _fits(block, layout.meter):
            return SunSpecBlocks(common, block)
        address += 2 + block.length
    wanted = ", ".join(str(model) for model in layout.meter.models)
    raise MalformedReplyError(f"models {seen} on the device, none of {wanted}")


def _marker(layout: SunSpecLayout) -> Generator[Read, Reply, int]:
    for base in layout.bases:
        try:
            registers = yield Read(Table.HOLDING, base, len(MARKER))
        except DeviceRefusedError:
            continue  # nothing at this base address
        if registers == MARKER:
            return base
    raise MalformedReplyError(
        f"no SunSpec marker at {', '.join(str(base) for base in layout.bases)}"
    )


def _fits(block: Block, wanted: SunSpecBlock) -> bool:
    return block.model in wanted.models and block.length >= wanted.length
