"""Random keys, scripts and transactions, as far as consensus lets them vary."""

import hypothesis.strategies as st

from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.keys import CURVE_ORDER, PrivateKey
from shared.bitcoin.taproot import Leaf, Tree
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

u32s = st.integers(0, 2**32 - 1)
secrets = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
private_keys = secrets.map(PrivateKey)
scripts = st.binary(max_size=120)
outpoints = st.builds(OutPoint, st.binary(min_size=32, max_size=32), u32s)
outputs = st.builds(TxOut, st.integers(0, MAX_MONEY_SAT // 10), scripts)
unsigned_inputs = st.builds(TxIn, outpoints, scripts, u32s)
inputs = st.builds(
    TxIn, outpoints, scripts, u32s, st.lists(st.binary(max_size=300), max_size=4).map(tuple)
)
transactions = st.builds(
    Transaction,
    u32s,
    st.lists(inputs, min_size=1, max_size=6).map(tuple),
    st.lists(outputs, min_size=1, max_size=6).map(tuple),
    u32s,
)
unsigned_transactions = st.builds(
    Transaction,
    st.integers(1, 3),
    st.lists(st.builds(TxIn, outpoints, st.just(b""), u32s), min_size=1, max_size=5).map(tuple),
    st.lists(outputs, min_size=1, max_size=5).map(tuple),
    u32s,
)
leaves = st.builds(Leaf, scripts, st.sampled_from([0xC0, 0xC0, 0xC2, 0x66, 0x7E]))
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves, lambda trees: st.tuples(trees, trees), max_leaves=8
)


def leaves_of(tree: Tree) -> list[Leaf]:
    """A tree's leaves from left to right."""
    return [tree] if isinstance(tree, Leaf) else leaves_of(tree[0]) + leaves_of(tree[1])
