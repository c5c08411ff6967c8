"""What Bitcoin Core's answers say, read strictly: a field missing or of another kind is an error.

Raises `NodeUnreachableError` for an answer of another shape than Core's RPC documentation gives,
and `UntrustworthyNodeError` for one whose parts contradict each other.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from controller.chain.blocks import BlockHeader, Coin
from controller.chain.errors import NodeUnreachableError, UntrustworthyNodeError
from controller.chain.values import BlockAt, HeaderAt, PoolEntry, Unspent, Verdict
from shared.bitcoin.amounts import sat_of_btc
from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.transaction import Transaction, TxOut, display, identifier_of
from shared.bitcoin.wire import MAX_U32

_MAX_HEIGHT = (1 << 31) - 1


def mapping(value: object, field: str = "result") -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise _unreadable(field, "an object")
    return value


def sequence(value: object, field: str = "result") -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise _unreadable(field, "an array")
    return value


def text(answer: Mapping[str, Any], field: str) -> str:
    """A string."""
    value = answer.get(field)
    if not isinstance(value, str):
        raise _unreadable(field, "a string")
    return value


def whole(answer: Mapping[str, Any], field: str) -> int:
    """A whole number."""
    value = answer.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unreadable(field, "a whole number")
    return value


def whole_within(answer: Mapping[str, Any], field: str, least: int, most: int) -> int:
    """A whole number that fits where Bitcoin keeps it."""
    value = whole(answer, field)
    if not least <= value <= most:
        raise _unreadable(field, f"from {least} to {most}")
    return value


def flag(answer: Mapping[str, Any], field: str) -> bool:
    """True or false."""
    value = answer.get(field)
    if not isinstance(value, bool):
        raise _unreadable(field, "true or false")
    return value


def amount_sat(answer: Mapping[str, Any], field: str) -> int:
    """An amount, or a feerate for 1,000 vB, in BTC, as satoshi."""
    value = answer.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise _unreadable(field, "an amount")
    try:
        return sat_of_btc(field, value)
    except BitcoinError as error:
        raise _unreadable(field, "an amount") from error


def identifier(value: object, field: str) -> bytes:
    """A block's or transaction's id, in wire order."""
    try:
        return identifier_of(value if isinstance(value, str) else "")
    except BitcoinError as error:
        raise _unreadable(field, "64 hex digits") from error


def content(answer: Mapping[str, Any], field: str) -> bytes:
    """Bytes written in hex."""
    try:
        return bytes.fromhex(text(answer, field))
    except ValueError as error:
        raise _unreadable(field, "hex") from error


def transaction(data: bytes, field: str) -> Transaction:
    """A whole transaction."""
    try:
        return Transaction.parse(data)
    except BitcoinError as error:
        raise _unreadable(field, "a transaction") from error


def header_at(value: object, block_hash: bytes) -> HeaderAt:
    """The header that `getblockheader` and `getblock` tell in parts, if its id is `block_hash`."""
    answer = mapping(value)
    previous = answer.get("previousblockhash")
    header = BlockHeader(
        version=whole_within(answer, "version", -(1 << 31), (1 << 31) - 1),
        previous=bytes(32) if previous is None else identifier(previous, "previousblockhash"),
        merkle_root=identifier(answer.get("merkleroot"), "merkleroot"),
        time_s=whole_within(answer, "time", 0, MAX_U32),
        bits=_bits(answer),
        nonce=whole_within(answer, "nonce", 0, MAX_U32),
    )
    if header.block_hash != block_hash:
        raise UntrustworthyNodeError(
            f"asked for header {display(block_hash)}, the node gave {display(header.block_hash)}"
        )
    return HeaderAt(whole_within(answer, "height", 0, _MAX_HEIGHT), header)


def block_at(value: object, block_hash: bytes) -> BlockAt:
    """A block as `getblock` tells it with verbosity 3, with prevouts where the node has them."""
    at = header_at(value, block_hash)
    told = [mapping(one, "tx") for one in sequence(mapping(value).get("tx"), "tx")]
    transactions = tuple(transaction(content(one, "hex"), "tx.hex") for one in told)
    spent = [
        () if read.is_coinbase else _spent(one)
        for one, read in zip(told, transactions, strict=True)
    ]
    known = tuple(one for one in spent if one is not None)
    is_known = len(known) == len(spent)
    return BlockAt(at.height, at.header, transactions, known if is_known else None)


def _spent(told: Mapping[str, Any]) -> tuple[Coin, ...] | None:
    coins = []
    for one in sequence(told.get("vin"), "vin"):
        prevout = mapping(one, "vin").get("prevout")
        if prevout is None:
            return None
        answer = mapping(prevout, "prevout")
        output = TxOut(amount_sat(answer, "value"), _script_pubkey(answer))
        coins.append(Coin(output, whole(answer, "height"), flag(answer, "generated")))
    return tuple(coins)


def unspent(value: object, height_of_best: int) -> Unspent:
    """What `gettxout` tells of an output that is unspent."""
    answer = mapping(value)
    confirmations = whole(answer, "confirmations")
    return Unspent(
        output=TxOut(amount_sat(answer, "value"), _script_pubkey(answer)),
        height=height_of_best - confirmations + 1 if confirmations > 0 else None,
        is_coinbase=flag(answer, "coinbase"),
        best_block=identifier(answer.get("bestblock"), "bestblock"),
    )


def verdict(value: object, subject: Transaction) -> Verdict:
    """One entry of what `testmempoolaccept` answers; "not validated" where it stopped before."""
    answer = mapping(value)
    told = identifier(answer.get("txid"), "txid"), identifier(answer.get("wtxid"), "wtxid")
    if told != (subject.txid, subject.wtxid):
        raise UntrustworthyNodeError(f"asked about {subject.hex}, the node judged another one")
    if answer.get("allowed") is True:
        fees = mapping(answer.get("fees"), "fees")
        return Verdict(*told, vsize=whole(answer, "vsize"), fee_sat=amount_sat(fees, "base"))
    reason = answer.get("reject-reason") or answer.get("package-error") or "not validated"
    detail = answer.get("reject-details", "")
    return Verdict(*told, str(reason), str(detail))


def pool_entry(value: object, txid: bytes) -> PoolEntry:
    """What `getmempoolentry` tells."""
    answer = mapping(value)
    fees = mapping(answer.get("fees"), "fees")
    return PoolEntry(
        txid=txid,
        wtxid=identifier(answer.get("wtxid"), "wtxid"),
        vsize=whole(answer, "vsize"),
        fee_sat=amount_sat(fees, "base"),
        time_s=whole(answer, "time"),
        height=whole(answer, "height"),
        ancestor_count=whole(answer, "ancestorcount"),
        ancestor_vsize=whole(answer, "ancestorsize"),
        ancestor_fee_sat=amount_sat(fees, "ancestor"),
        descendant_count=whole(answer, "descendantcount"),
        descendant_vsize=whole(answer, "descendantsize"),
        descendant_fee_sat=amount_sat(fees, "descendant"),
        parents=identifiers(answer.get("depends"), "depends"),
        children=identifiers(answer.get("spentby"), "spentby"),
    )


def identifiers(value: object, field: str) -> frozenset[bytes]:
    """An array of ids."""
    return frozenset(identifier(one, field) for one in sequence(value, field))


def _script_pubkey(answer: Mapping[str, Any]) -> bytes:
    return content(mapping(answer.get("scriptPubKey"), "scriptPubKey"), "hex")


def _bits(answer: Mapping[str, Any]) -> int:
    bits = content(answer, "bits")
    if len(bits) != 4:
        raise _unreadable("bits", "four bytes in hex")
    return int.from_bytes(bits, "big")


def _unreadable(field: str, expected: str) -> NodeUnreachableError:
    return NodeUnreachableError(f"the node's answer cannot be read: {field} is not {expected}")
