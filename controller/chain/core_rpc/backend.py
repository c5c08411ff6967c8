"""Bitcoin Core as a `ChainBackend`."""

from types import TracebackType
from typing import Any, Self

from controller.chain.backend import accepted, accepted_package, as_accepted_if_there
from controller.chain.core_rpc import answers
from controller.chain.core_rpc.client import CoreRpcClient
from controller.chain.core_rpc.config import CoreRpcConfig
from controller.chain.errors import (
    BlockNotFoundError,
    NetworkMismatchError,
    NodeRefusedError,
    NodeUnreachableError,
    PrunedError,
)
from controller.chain.fees import check_target
from controller.chain.values import (
    BlockAt,
    BlockRef,
    FeeEstimate,
    HeaderAt,
    NodeFacts,
    PackageState,
    PackageVerdict,
    PoolEntry,
    Unspent,
    Verdict,
)
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, Transaction, display

_MISC, _NOT_FOUND, _INVALID_PARAMETER = -1, -5, -8  # Core's src/rpc/protocol.h
_VERIFY_ERROR, _VERIFY_REJECTED, _ALREADY_IN_CHAIN = -25, -26, -27
_NO_MAXIMUM = 0  # the suite has ceilings of its own
_ALONE_TOO_CHEAP = frozenset({"min relay fee not met", "mempool min fee not met"})
_NOT_IN_A_TEST = "bip125-replacement-disallowed"


class CoreRpc:
    """One node. Ids are bytes in wire order; see `ChainBackend` for each call."""

    def __init__(self, config: CoreRpcConfig) -> None:
        self._network = config.network
        self._client = CoreRpcClient(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    @property
    def network(self) -> Network:
        """The network that was configured."""
        return self._network

    def genesis_hash(self) -> bytes:
        """See `ChainBackend`."""
        return answers.identifier(self._client.call("getblockhash", 0), "block hash")

    def facts(self) -> NodeFacts:
        """See `ChainBackend`."""
        chain = answers.mapping(self._client.call("getblockchaininfo"))
        node = answers.mapping(self._client.call("getnetworkinfo"))
        pool = answers.mapping(self._client.call("getmempoolinfo"))
        is_pruned = answers.flag(chain, "pruned")
        return NodeFacts(
            software=answers.text(node, "subversion"),
            version=answers.whole(node, "version"),
            network=self._named(answers.text(chain, "chain")),
            min_relay_sat_per_kvb=answers.amount_sat(node, "relayfee"),
            incremental_relay_sat_per_kvb=answers.amount_sat(node, "incrementalfee"),
            mempool_min_sat_per_kvb=answers.amount_sat(pool, "mempoolminfee"),
            is_pruned=is_pruned,
            lowest_block_height=answers.whole(chain, "pruneheight") if is_pruned else 0,
        )

    def tip(self) -> BlockRef:
        """See `ChainBackend`."""
        chain = answers.mapping(self._client.call("getblockchaininfo"))
        block_hash = answers.identifier(chain.get("bestblockhash"), "bestblockhash")
        return BlockRef(answers.whole(chain, "blocks"), block_hash)

    def header_at(self, height: int) -> HeaderAt:
        """See `ChainBackend`."""
        try:
            told = self._client.call("getblockhash", height)
        except NodeRefusedError as error:
            if error.code == _INVALID_PARAMETER:
                raise BlockNotFoundError(f"at height {height}") from error
            raise
        return self.header(answers.identifier(told, "block hash"))

    def header(self, block_hash: bytes) -> HeaderAt:
        """See `ChainBackend`."""
        return answers.header_at(self._of_block("getblockheader", block_hash, True), block_hash)  # noqa: FBT003 - positional in Core's own API

    def block(self, block_hash: bytes) -> BlockAt:
        """See `ChainBackend`."""
        try:
            told = self._of_block("getblock", block_hash, 3)
        except NodeRefusedError as error:
            if error.code != _MISC:
                raise
            height, facts = self.header(block_hash).height, self.facts()
            if facts.is_pruned and height < facts.lowest_block_height:
                raise PrunedError(height, facts.lowest_block_height) from error
            raise
        return answers.block_at(told, block_hash)

    def unspent(self, outpoint: OutPoint, *, with_mempool: bool) -> Unspent | None:
        """See `ChainBackend`."""
        told = self._client.call("gettxout", display(outpoint.txid), outpoint.vout, with_mempool)
        if told is None:
            return None
        best = answers.identifier(answers.mapping(told).get("bestblock"), "bestblock")
        return answers.unspent(told, self.header(best).height)

    def test_accept(self, transaction: Transaction) -> Verdict:
        """See `ChainBackend`."""
        return as_accepted_if_there(self._tested([transaction])[0])

    def test_accept_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        """See `ChainBackend`; undetermined where the node's test does not reach."""
        if self.pool_entry(parent.txid) is not None:
            verdict = Verdict(parent.txid, parent.wtxid)
            return _package(verdict, self.test_accept(child))
        first, second = self._tested([parent, child])
        if first.reason in _ALONE_TOO_CHEAP or _NOT_IN_A_TEST in {first.reason, second.reason}:
            reason = first.reason if first.reason is not None else second.reason
            return PackageVerdict(PackageState.UNDETERMINED, first, second, reason)
        return _package(first, second)

    def broadcast(self, transaction: Transaction) -> Verdict:
        """See `ChainBackend`."""
        verdict = Verdict(transaction.txid, transaction.wtxid)
        try:
            told = self._client.call(
                "sendrawtransaction", transaction.serialise().hex(), _NO_MAXIMUM
            )
        except NodeRefusedError as error:
            return accepted(_refused(verdict, error))
        if answers.identifier(told, "txid") != transaction.txid:
            raise NodeUnreachableError("sendrawtransaction: the node names another transaction")
        return verdict

    def broadcast_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        """See `ChainBackend`."""
        pair = [parent.serialise().hex(), child.serialise().hex()]
        try:
            told = answers.mapping(self._client.call("submitpackage", pair, _NO_MAXIMUM))
        except NodeRefusedError as error:
            refused = _refused(Verdict(child.txid, child.wtxid), error)
            return accepted_package(_package(Verdict(parent.txid, parent.wtxid), refused))
        results = answers.mapping(told.get("tx-results"), "tx-results")
        message = answers.text(told, "package_msg")
        first, second = (_submitted(one, results, message) for one in (parent, child))
        return accepted_package(_package(first, second))

    def pool_txids(self) -> frozenset[bytes]:
        """See `ChainBackend`."""
        return answers.identifiers(self._client.call("getrawmempool"), "txid")

    def pool_entry(self, txid: bytes) -> PoolEntry | None:
        """See `ChainBackend`."""
        told = self._of_pool("getmempoolentry", display(txid))
        return None if told is None else answers.pool_entry(told, txid)

    def pool_transaction(self, txid: bytes) -> Transaction | None:
        """See `ChainBackend`; what the node finds in its index of blocks is not meant."""
        told = self._of_pool("getrawtransaction", display(txid), 1)
        if told is None or "blockhash" in answers.mapping(told):
            return None
        return answers.transaction(answers.content(told, "hex"), "hex")

    def pool_ancestors(self, txid: bytes) -> frozenset[bytes] | None:
        """See `ChainBackend`."""
        told = self._of_pool("getmempoolancestors", display(txid))
        return None if told is None else answers.identifiers(told, "txid")

    def fee_estimate(self, target_blocks: int) -> FeeEstimate:
        """See `ChainBackend`; Core's `estimatesmartfee`, conservative."""
        check_target(target_blocks)
        told = self._client.call("estimatesmartfee", target_blocks, "conservative")
        answer = answers.mapping(told)
        if "feerate" not in answer:
            problems = answer.get("errors", ["no feerate in the answer"])
            return FeeEstimate(target_blocks, None, "; ".join(map(str, problems))[:300])
        return FeeEstimate(target_blocks, answers.amount_sat(answer, "feerate"))

    def _named(self, chain: str) -> Network:
        try:
            return Network(chain)
        except ValueError:
            raise NetworkMismatchError("network", chain, self._network.value) from None

    def _of_block(self, method: str, block_hash: bytes, how: object) -> Any:
        try:
            return self._client.call(method, display(block_hash), how)
        except NodeRefusedError as error:
            if error.code == _NOT_FOUND:
                raise BlockNotFoundError(display(block_hash)) from error
            raise

    def _of_pool(self, method: str, *params: object) -> Any:
        try:
            return self._client.call(method, *params)
        except NodeRefusedError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def _tested(self, transactions: list[Transaction]) -> list[Verdict]:
        raw = [one.serialise().hex() for one in transactions]
        told = answers.sequence(self._client.call("testmempoolaccept", raw, _NO_MAXIMUM))
        if len(told) != len(transactions):
            raise NodeUnreachableError("testmempoolaccept: not one verdict a transaction")
        return [answers.verdict(one, tx) for one, tx in zip(told, transactions, strict=True)]


def _package(parent: Verdict, child: Verdict) -> PackageVerdict:
    is_accepted = parent.is_accepted and child.is_accepted
    state = PackageState.ACCEPTED if is_accepted else PackageState.REFUSED
    is_orphan = child.reason in {None, "bad-txns-inputs-missingorspent", "not validated"}
    reason = parent.reason if parent.reason is not None and is_orphan else child.reason
    return PackageVerdict(state, parent, child, reason)


def _refused(verdict: Verdict, error: NodeRefusedError) -> Verdict:
    """What a mempool refused; an error of another kind is raised as it is."""
    if error.code == _ALREADY_IN_CHAIN:
        return Verdict(verdict.txid, verdict.wtxid, "txn-already-known", error.problem)
    if error.code not in {_VERIFY_ERROR, _VERIFY_REJECTED}:
        raise error
    return Verdict(verdict.txid, verdict.wtxid, *_reason(error.problem))


def _reason(problem: str) -> tuple[str, str]:
    """Reason and detail of Core's `TxValidationState::ToString`."""
    reason, _, detail = problem.partition(", ")
    return reason, detail


def _submitted(transaction: Transaction, results: Any, message: str) -> Verdict:
    told = results.get(display(transaction.wtxid))
    result = answers.mapping(told, "tx-results") if told is not None else {}
    problem = result.get("error")
    if message != "success" and problem is None and "vsize" not in result:
        problem = message
    if problem is not None:
        reason, detail = _reason(str(problem))
        is_general = reason in {"package-not-validated", "unspecified reason"}
        return Verdict(
            transaction.txid, transaction.wtxid, message if is_general else reason, detail
        )
    fees = result.get("fees")
    return Verdict(
        transaction.txid,
        transaction.wtxid,
        vsize=answers.whole(result, "vsize") if "vsize" in result else None,
        fee_sat=None if fees is None else answers.amount_sat(answers.mapping(fees), "base"),
    )
