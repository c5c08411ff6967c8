"""Whatever a node answers: it is read, or refused by name."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.chain.core_rpc import answers
from controller.chain.core_rpc.zmtp import Subscriber, ZmtpError, greeting, ready
from controller.chain.errors import NodeUnreachableError, UntrustworthyNodeError
from shared.bitcoin.transaction import OutPoint, TxOut
from tests.unit.controller.chain.ledger import ANYONE, spend

_SUBJECT = spend([OutPoint(bytes(32), 0)], [TxOut(1, ANYONE)])
_NAMES = st.sampled_from(
    [
        *("height", "version", "merkleroot", "time", "nonce", "bits", "previousblockhash", "tx"),
        *("hex", "vin", "prevout", "value", "coinbase", "scriptPubKey", "generated", "bestblock"),
        *("confirmations", "txid", "wtxid", "allowed", "fees", "base", "vsize", "ancestor"),
        *("descendant", "ancestorcount", "depends", "spentby", "reject-reason"),
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False).map(Decimal),
    st.text(max_size=8),
    st.sampled_from(["00" * 32, "ff" * 32, "207fffff", "51", _SUBJECT.hex]),
)
_ANSWERS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=12),
    max_leaves=30,
)
_READERS: list[Callable[[Any], object]] = [
    lambda answer: answers.header_at(answer, bytes(32)),
    lambda answer: answers.block_at(answer, bytes(32)),
    lambda answer: answers.unspent(answer, 100),
    lambda answer: answers.verdict(answer, _SUBJECT),
    lambda answer: answers.pool_entry(answer, bytes(32)),
    lambda answer: answers.identifiers(answer, "txid"),
]


@pytest.mark.parametrize("read", _READERS)
@given(answer=_ANSWERS)
def test_an_answer_is_read_or_refused_by_name(read: Callable[[Any], object], answer: Any) -> None:
    with suppress(NodeUnreachableError, UntrustworthyNodeError):
        read(answer)


@given(st.binary(max_size=300), st.booleans(), st.integers(1, 40))
def test_a_publisher_is_read_or_left(stream: bytes, is_greeted: bool, size: int) -> None:
    subscriber = Subscriber([b"hashblock"])
    stream = greeting() + ready(b"PUB") + stream if is_greeted else stream
    with suppress(ZmtpError):
        for at in range(0, len(stream), size):
            subscriber.receive(stream[at : at + size])
