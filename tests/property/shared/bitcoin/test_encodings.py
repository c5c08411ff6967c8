"""What is written is read back, and what is read is the one way to write it."""

import contextlib

import hypothesis.strategies as st
from btclib import b32, b58, base58
from btclib.tx.tx import Tx
from hypothesis import given

from shared.bitcoin import address
from shared.bitcoin import base58 as own_base58
from shared.bitcoin import script as own_scripts
from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.networks import Network
from shared.bitcoin.script import Op
from shared.bitcoin.transaction import Transaction
from shared.bitcoin.wire import Reader, varint
from tests.property.shared.bitcoin.strategies import transactions

ORACLE_NETWORKS = {
    Network.MAINNET: "mainnet",
    Network.TESTNET4: "testnet4",
    Network.SIGNET: "signet",
    Network.REGTEST: "regtest",
}


@given(transactions)
def test_a_transaction_comes_back_and_agrees_with_the_oracle(transaction: Transaction) -> None:
    raw = transaction.serialise()
    assert Transaction.parse(raw) == transaction
    assert Transaction.parse(raw).serialise() == raw
    oracle = Tx.parse(raw, check_validity=False)
    assert oracle.id == transaction.txid[::-1]
    assert oracle.hash == transaction.wtxid[::-1]
    assert oracle.weight == transaction.weight
    assert oracle.vsize == transaction.vsize


@given(transactions, st.data())
def test_a_transaction_with_one_byte_changed_is_refused_or_canonical(
    transaction: Transaction, data: st.DataObject
) -> None:
    raw = bytearray(transaction.serialise())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BitcoinError):
        assert Transaction.parse(bytes(raw)).serialise() == bytes(raw)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_canonical(raw: bytes) -> None:
    with contextlib.suppress(BitcoinError):
        assert Transaction.parse(raw).serialise() == raw


@given(st.binary(min_size=1, max_size=9))
def test_a_compact_size_has_one_encoding(encoded: bytes) -> None:
    reader = Reader(encoded)
    with contextlib.suppress(BitcoinError):
        value = reader.varint()
        assert varint(value) == encoded[: reader.position]


items = st.one_of(
    st.sampled_from([op for op in Op if op not in {Op.PUSHDATA1, Op.PUSHDATA2, Op.PUSHDATA4}]),
    st.integers(-(2**39) + 1, 2**39 - 1),
    st.binary(max_size=520),
)


@given(st.lists(items, max_size=12))
def test_a_script_is_parsed_into_what_it_was_written_of(written: list[Op | int | bytes]) -> None:
    parsed = list(own_scripts.parse(own_scripts.script(*written)))
    assert len(parsed) == len(written)
    for (opcode, data), item in zip(parsed, written, strict=True):
        if isinstance(item, Op):
            assert opcode == item
        elif data is None:
            value = -1 if opcode == Op.N1NEGATE else opcode - Op.N1 + 1
            encoded = own_scripts.encode_number(value)
            assert encoded == item if isinstance(item, bytes) else value == item
        elif isinstance(item, bytes):
            assert data == item
        else:
            assert own_scripts.decode_number(data, limit=5) == item


@given(st.binary(max_size=200))
def test_any_bytes_are_classified_without_an_error(content: bytes) -> None:
    assert isinstance(own_scripts.classify(content), own_scripts.ScriptKind)


@given(st.binary(max_size=60))
def test_base58_agrees_with_the_oracle(payload: bytes) -> None:
    text = own_base58.encode_check(payload)
    assert text == base58.encode(payload).decode("ascii")
    assert own_base58.decode_check(text) == payload


@given(st.sampled_from(list(Network)), st.integers(0, 16), st.data())
def test_a_witness_programs_address_agrees_with_the_oracle(
    network: Network, version: int, data: st.DataObject
) -> None:
    sizes = st.sampled_from([20, 32]) if version == 0 else st.integers(2, 40)
    if version == 1:
        sizes = st.just(32)
    program = data.draw(st.binary(min_size=(size := data.draw(sizes)), max_size=size))
    script_pubkey = own_scripts.witness_program(version, program)
    text = address.encode(script_pubkey, network)
    assert text == b32.address_from_witness(version, program, ORACLE_NETWORKS[network])
    assert address.decode(text, network) == script_pubkey


@given(st.sampled_from(list(Network)), st.binary(min_size=20, max_size=20), st.booleans())
def test_a_base58_address_agrees_with_the_oracle(
    network: Network, hashed: bytes, is_script: bool
) -> None:
    oracle = ORACLE_NETWORKS[network]
    if is_script:
        script_pubkey = own_scripts.p2sh_of_hash(hashed)
        expected = b58.address_from_h160("p2sh", hashed, oracle)
    else:
        script_pubkey = own_scripts.p2pkh_of_hash(hashed)
        expected = b58.address_from_h160("p2pkh", hashed, oracle)
    text = address.encode(script_pubkey, network)
    assert text == expected
    assert address.decode(text, network) == script_pubkey


@given(st.text(max_size=95))
def test_arbitrary_text_is_refused_as_an_address_or_its_only_spelling(text: str) -> None:
    for network in Network:
        with contextlib.suppress(BitcoinError):
            script_pubkey = address.decode(text, network)
            assert address.encode(script_pubkey, network) in {text, text.lower()}
