"""Whatever is mined, reorganised and broadcast: coins and mempool agree with the best chain."""

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import NotAcceptedError
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from tests.unit.controller.chain.ledger import ANYONE, spend

_MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("mine"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("reorganise"), st.integers(1, 8), st.integers(0, 3)),
        st.tuples(st.just("pay"), st.integers(0, 10_000), st.integers(1, 4)),
    ),
    max_size=14,
)


def _best_coins(chain: EmbeddedChain) -> dict[OutPoint, TxOut]:
    coins: dict[OutPoint, TxOut] = {}
    for height in range(1, chain.tip().height + 1):
        block = chain.block(chain.header_at(height).ref.block_hash)
        for transaction in block.transactions:
            for one in transaction.inputs:
                coins.pop(one.outpoint, None)
            for vout, output in enumerate(transaction.outputs):
                coins[OutPoint(transaction.txid, vout)] = output
    return {one: output for one, output in coins.items() if output.script_pubkey == ANYONE}


def _payment(chain: EmbeddedChain, choice: int, outputs: int) -> Transaction | None:
    """Spends a coin of the chain or of the mempool, whether or not that is allowed."""
    pool = [chain.pool_transaction(one) for one in sorted(chain.pool_txids())]
    coins = _best_coins(chain)
    coins |= {
        one.outpoint(vout): out for one in pool if one for vout, out in enumerate(one.outputs)
    }
    if not coins:
        return None
    outpoint = sorted(coins)[choice % len(coins)]
    each = (coins[outpoint].amount_sat - 1_000 - choice) // outputs
    return spend([outpoint], [TxOut(each, ANYONE)] * outputs) if each > 1_000 else None


@settings(max_examples=15)
@given(_MOVES)
def test_coins_and_mempool_agree_with_the_best_chain(moves: list[tuple[str, int, int]]) -> None:
    chain = EmbeddedChain()
    chain.mine(103, ANYONE)
    seen: set[OutPoint] = set()
    for kind, number, more in moves:
        if kind == "mine":
            chain.mine(number, ANYONE)
        elif kind == "reorganise":
            chain.reorganise(chain.tip().height - number, number + more, ANYONE)
        else:
            payment = _payment(chain, number, more)
            if payment is not None:
                try:
                    chain.broadcast(payment)
                except NotAcceptedError:
                    continue
                seen |= {payment.outpoint(vout) for vout in range(len(payment.outputs))}
    coins = _best_coins(chain)
    for outpoint in seen | coins.keys():
        found = chain.unspent(outpoint, with_mempool=False)
        assert (None if found is None else found.output) == coins.get(outpoint)
    _check_pool(chain, coins)
    chain.mine()
    assert chain.pool_txids() == frozenset()
    chain.close()


def _check_pool(chain: EmbeddedChain, coins: dict[OutPoint, TxOut]) -> None:
    spent: set[OutPoint] = set()
    txids = chain.pool_txids()
    for txid in txids:
        transaction = chain.pool_transaction(txid)
        assert transaction is not None
        for one in transaction.inputs:
            assert one.outpoint in coins or one.outpoint.txid in txids
            assert one.outpoint not in spent
            spent.add(one.outpoint)
