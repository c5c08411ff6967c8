"""Every template's paths in real blocks: what a block may have, and when, Core's engine says."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from controller.chain.blocks import Block
from controller.chain.embedded.kernel import Kernel
from controller.chain.embedded.miner import Place, assemble
from controller.chain.engine import verify
from controller.chain.errors import MiningError
from controller.contracts.context import Coin, ExecutionContext, Tip
from controller.contracts.contract import Contract
from controller.contracts.draft import Draft
from controller.contracts.execute import execute
from controller.contracts.signing import satisfy
from shared.bitcoin.hashes import sha256
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.controller.contracts.parameters import (
    APPROVALS,
    DRAWN,
    MARKET,
    NOW_MS,
    SECRET,
    draw_contract,
    draw_request,
    everyone,
    names_of,
    signed,
)

HIGHEST = 260
MATURE = 101
AMOUNT_SAT = 1_000_000
_ANYONE = b"\x51"


class Ground:
    """A regtest chain that holds what a test puts into its blocks."""

    def __init__(self) -> None:
        self._kernel = Kernel()
        self._first_s = int(time.time()) - 50_000
        self._extra = itertools.count()
        self.first_coinbase = OutPoint(self.mine().transactions[0].txid, 0)
        while self.height < MATURE:
            self.mine()

    @property
    def height(self) -> int:
        return self._kernel.height

    def mine(self, transactions: Sequence[Transaction] = ()) -> Block:
        """Mines a block with these; MiningError where the engine refuses it."""
        height = self.height + 1
        place = Place(self._kernel.hash_at(height - 1), height, self._first_s + 60 * height)
        extra = next(self._extra).to_bytes(4, "big")
        block = assemble(place, _ANYONE, transactions, 0, extra)
        self._kernel.process(block)
        if self._kernel.hash_at(self._kernel.height) != block.header.block_hash:
            raise MiningError(f"block {block.hex} was not connected")
        return block

    def mine_to(self, height: int) -> None:
        while self.height < height:
            self.mine()

    def fund(self, scripts: Sequence[bytes]) -> list[OutPoint]:
        """Pays AMOUNT_SAT to each script."""
        outputs = tuple(TxOut(AMOUNT_SAT, one) for one in scripts)
        transaction = Transaction(2, (TxIn(self.first_coinbase),), outputs)
        self.mine([transaction])
        return [transaction.outpoint(place) for place in range(len(scripts))]

    def close(self) -> None:
        self._kernel.close()


@pytest.fixture
def ground() -> Iterator[Ground]:
    made = Ground()
    yield made
    made.close()


def _draft(contract: Contract, coin: Coin, path: str, height: int, draw: random.Random) -> Draft:
    context = ExecutionContext(
        Tip(height, 0),
        (coin,),
        MARKET,
        everyone(contract),
        APPROVALS,
        draw.randrange(9),
        NOW_MS,
    )
    request, split = draw_request(contract, contract.path(path), draw, AMOUNT_SAT)
    return execute(contract, path, context, request, split)


def _finished(draft: Draft, draw: random.Random) -> Transaction:
    made = signed(draft, names_of(draft), draw)
    transaction = satisfy(draft, made, {sha256(SECRET): SECRET})
    verify(transaction, draft.prevouts)
    return transaction


def _with_a_satoshi_too_many(draft: Draft) -> Draft:
    """The same draft whose outputs come to one satoshi more than its inputs."""
    first, *others = draft.transaction.outputs
    outputs = (TxOut(first.amount_sat + draft.fee_sat + 1, first.script_pubkey), *others)
    return replace(draft, transaction=replace(draft.transaction, outputs=outputs))


@pytest.mark.parametrize("template", DRAWN)
def test_a_block_has_each_spend_at_its_earliest_height_and_not_one_block_before(
    template: str, ground: Ground
) -> None:
    draw = random.Random(f"{template} in blocks")
    contract = draw_contract(template, draw, HIGHEST)
    order = list(contract.paths.values())
    funded_at = ground.height + 1
    order.sort(key=lambda one: one.earliest_height(funded_at))
    points = ground.fund([contract.output(one.part, 3).script_pubkey for one in order])
    for path, point in zip(order, points, strict=True):
        coin = Coin(point, AMOUNT_SAT, path.part, 3, height=funded_at, is_final=True)
        earliest = path.earliest_height(funded_at)
        ground.mine_to(earliest - 2)
        at = max(earliest - 1, ground.height)
        draft = _draft(contract, coin, path.name, at, draw)
        transaction = _finished(draft, draw)
        if ground.height == earliest - 2:
            with pytest.raises(MiningError):
                ground.mine([transaction])
            ground.mine()
        with pytest.raises(MiningError):
            ground.mine([_finished(_with_a_satoshi_too_many(draft), draw)])
        ground.mine([transaction])
        assert ground.height >= earliest
