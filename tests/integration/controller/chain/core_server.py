"""A server that speaks Bitcoin Core's JSON-RPC, with its cookie, over the embedded chain.

It answers as Core 29.0 documents its calls, and stands in for it where no program is named.
"""

import base64
import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from controller.chain.blocks import Coin
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import BlockNotFoundError, NotAcceptedError
from controller.chain.values import PackageVerdict, Verdict
from shared.bitcoin.amounts import btc_text
from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut, display, identifier_of

_BTC = re.compile(rb'"@([0-9.]+)"')


class RpcError(Exception):
    """An error of Core's, with its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _btc(amount_sat: int) -> str:
    """A number in JSON with eight decimals, as Core writes it."""
    return f"@{btc_text(amount_sat)}"


class CoreServer:
    """Serves one chain; `pruned_below`, `chain_name` and the like make it tell something else."""

    def __init__(self, chain: EmbeddedChain, folder: Path) -> None:
        self.chain = chain
        self.cookie_file = folder / ".cookie"
        self.pruned_below = 0
        self.has_undo = True
        self.chain_name = "regtest"
        self.has_estimates = True
        self.broken: Callable[[str], bytes | None] = lambda _method: None
        self.status_of_broken = 200
        self.calls: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.new_cookie()
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/"

    def new_cookie(self) -> None:
        """As a node does at its start."""
        self.cookie = f"__cookie__:{secrets.token_hex(32)}"
        self.cookie_file.write_text(self.cookie)

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        method, params = request["method"], request["params"]
        self.calls.append(method)
        broken = self.broken(method)
        if broken is not None:
            return self.status_of_broken, broken
        call = getattr(self, f"rpc_{method}", _no_such_method)
        answer: dict[str, Any] = {"result": None, "error": None, "id": request["id"]}
        status = 200
        try:
            answer["result"] = call(*params)
        except RpcError as error:
            status = 404 if error.code == -32601 else 500
            answer["error"] = {"code": error.code, "message": error.message}
        return status, _BTC.sub(rb"\1", json.dumps(answer).encode())

    def rpc_getblockhash(self, height: int) -> str:
        try:
            return display(self.chain.header_at(height).ref.block_hash)
        except BlockNotFoundError:
            raise RpcError(-8, "Block height out of range") from None

    def rpc_getblockchaininfo(self) -> dict[str, Any]:
        tip = self.chain.tip()
        told = {
            "chain": self.chain_name,
            "blocks": tip.height,
            "headers": tip.height,
            "bestblockhash": display(tip.block_hash),
            "pruned": self.pruned_below > 0,
        }
        return told | ({"pruneheight": self.pruned_below} if self.pruned_below else {})

    def rpc_getnetworkinfo(self) -> dict[str, Any]:
        facts = self.chain.facts()
        return {
            "version": facts.version,
            "subversion": "/Satoshi:29.0.0/",
            "relayfee": _btc(facts.min_relay_sat_per_kvb),
            "incrementalfee": _btc(facts.incremental_relay_sat_per_kvb),
        }

    def rpc_getmempoolinfo(self) -> dict[str, Any]:
        facts = self.chain.facts()
        return {
            "loaded": True,
            "size": len(self.chain.pool_txids()),
            "mempoolminfee": _btc(facts.mempool_min_sat_per_kvb),
            "minrelaytxfee": _btc(facts.min_relay_sat_per_kvb),
            "fullrbf": True,
        }

    def rpc_getblockheader(self, block_hash: str, verbose: bool) -> dict[str, Any]:
        assert verbose
        try:
            at = self.chain.header(identifier_of(block_hash))
        except BlockNotFoundError:
            raise RpcError(-5, "Block not found") from None
        header = at.header
        told = {
            "hash": block_hash,
            "height": at.height,
            "version": header.version,
            "merkleroot": display(header.merkle_root),
            "time": header.time_s,
            "nonce": header.nonce,
            "bits": f"{header.bits:08x}",
        }
        return told | ({"previousblockhash": display(header.previous)} if at.height else {})

    def rpc_getblock(self, block_hash: str, verbosity: int) -> dict[str, Any]:
        assert verbosity == 3
        told = self.rpc_getblockheader(block_hash, True)
        if told["height"] < self.pruned_below:
            raise RpcError(-1, "Block not available (pruned data)")
        block = self.chain.block(identifier_of(block_hash))
        spent = block.spent or ((),) * len(block.transactions)
        told["tx"] = [
            self._transaction(one, coins)
            for one, coins in zip(block.transactions, spent, strict=True)
        ]
        return told

    def _transaction(self, transaction: Transaction, coins: tuple[Coin, ...]) -> dict[str, Any]:
        inputs: list[dict[str, Any]] = [{"coinbase": "00"}]
        if not transaction.is_coinbase:
            inputs = [{"txid": display(one.outpoint.txid)} for one in transaction.inputs]
        for told, coin in zip(inputs, coins, strict=False):
            if self.has_undo:
                made = {"generated": coin.is_coinbase, "height": coin.height}
                told["prevout"] = made | self._output(coin.output)
        return {"txid": transaction.hex, "hex": transaction.serialise().hex(), "vin": inputs}

    @staticmethod
    def _output(output: TxOut) -> dict[str, Any]:
        return {
            "value": _btc(output.amount_sat),
            "scriptPubKey": {"hex": output.script_pubkey.hex()},
        }

    def rpc_gettxout(self, txid: str, vout: int, with_mempool: bool) -> dict[str, Any] | None:
        outpoint = OutPoint(identifier_of(txid), vout)
        found = self.chain.unspent(outpoint, with_mempool=with_mempool)
        if found is None:
            return None
        tip = self.chain.tip()
        return {
            "bestblock": display(found.best_block),
            "confirmations": 0 if found.height is None else tip.height - found.height + 1,
            "coinbase": found.is_coinbase,
            **self._output(found.output),
        }

    def rpc_testmempoolaccept(self, raw: list[str], maximum: int) -> list[dict[str, Any]]:
        assert maximum == 0
        transactions = [_parsed(one) for one in raw]
        first = self.chain.test_accept(transactions[0])
        if transactions[0].txid in self.chain.pool_txids():
            first = Verdict(first.txid, first.wtxid, "txn-already-in-mempool")
        if len(transactions) == 1:
            return [_tested(first)]
        if not first.is_accepted:  # each by its own feerate
            second = transactions[1]
            return [_tested(first), {"txid": second.hex, "wtxid": display(second.wtxid)}]
        package = self.chain.test_accept_package(*transactions)
        return [_tested(package.parent), _tested(package.child)]

    def rpc_sendrawtransaction(self, raw: str, maximum: int) -> str:
        assert maximum == 0
        transaction = _parsed(raw)
        try:
            self.chain.broadcast(transaction)
        except NotAcceptedError as error:
            if error.reason == "txn-already-known":
                raise RpcError(-27, "Transaction outputs already in utxo set") from None
            is_missing = error.reason == "bad-txns-inputs-missingorspent"
            raise RpcError(-25 if is_missing else -26, _problem(error)) from None
        return transaction.hex

    def rpc_submitpackage(self, raw: list[str], maximum: int) -> dict[str, Any]:
        assert maximum == 0
        parent, child = (_parsed(one) for one in raw)
        if parent.txid not in {one.outpoint.txid for one in child.inputs}:
            raise RpcError(-25, "package topology disallowed. not child-with-parents")
        verdict = self.chain.test_accept_package(parent, child)
        if (verdict.reason or "").startswith(("package-", "conflict-in")):
            return {"package_msg": verdict.reason, "tx-results": {}}
        if verdict.parent.is_accepted:
            try:
                self.chain.broadcast_package(parent, child)
            except NotAcceptedError:
                assert not verdict.is_accepted
        return _submitted(verdict)

    def rpc_getrawmempool(self) -> list[str]:
        return [display(one) for one in self.chain.pool_txids()]

    def rpc_getmempoolentry(self, txid: str) -> dict[str, Any]:
        entry = self.chain.pool_entry(identifier_of(txid))
        if entry is None:
            raise RpcError(-5, "Transaction not in mempool")
        return {
            "vsize": entry.vsize,
            "time": entry.time_s,
            "height": entry.height,
            "wtxid": display(entry.wtxid),
            "ancestorcount": entry.ancestor_count,
            "ancestorsize": entry.ancestor_vsize,
            "descendantcount": entry.descendant_count,
            "descendantsize": entry.descendant_vsize,
            "fees": {
                "base": _btc(entry.fee_sat),
                "ancestor": _btc(entry.ancestor_fee_sat),
                "descendant": _btc(entry.descendant_fee_sat),
            },
            "depends": [display(one) for one in entry.parents],
            "spentby": [display(one) for one in entry.children],
        }

    def rpc_getrawtransaction(self, txid: str, verbosity: int) -> dict[str, Any]:
        assert verbosity == 1
        found = self.chain.pool_transaction(identifier_of(txid))
        if found is None:
            raise RpcError(-5, "No such mempool transaction. Use -txindex")
        return {"hex": found.serialise().hex()}

    def rpc_getmempoolancestors(self, txid: str) -> list[str]:
        found = self.chain.pool_ancestors(identifier_of(txid))
        if found is None:
            raise RpcError(-5, "Transaction not in mempool")
        return [display(one) for one in found]

    def rpc_estimatesmartfee(self, target_blocks: int, mode: str) -> dict[str, Any]:
        assert mode == "conservative"
        feerate = self.chain.fee_estimate(target_blocks).feerate_sat_per_kvb
        if not self.has_estimates or feerate is None:
            return {"errors": ["Insufficient data or no feerate found"], "blocks": target_blocks}
        return {"feerate": _btc(feerate), "blocks": target_blocks}


def _no_such_method(*_params: object) -> None:
    raise RpcError(-32601, "Method not found")


def _parsed(raw: str) -> Transaction:
    try:
        return Transaction.parse(bytes.fromhex(raw))
    except (BitcoinError, ValueError):
        raise RpcError(-22, "TX decode failed. Make sure the tx has at least one input.") from None


def _problem(error: NotAcceptedError) -> str:
    return f"{error.reason}, {error.detail}" if error.detail else error.reason


def _tested(verdict: Verdict) -> dict[str, Any]:
    told = {"txid": display(verdict.txid), "wtxid": display(verdict.wtxid)}
    if verdict.is_accepted:
        fees = {"base": _btc(verdict.fee_sat or 0)}
        return {**told, "allowed": True, "vsize": verdict.vsize, "fees": fees}
    refused = {"allowed": False, "reject-reason": verdict.reason}
    return {**told, **refused, "reject-details": verdict.detail}


def _submitted(package: PackageVerdict) -> dict[str, Any]:
    results = {}
    for one in (package.parent, package.child):
        told: dict[str, Any] = {"txid": display(one.txid)}
        if one.is_accepted:
            told |= {"vsize": one.vsize, "fees": {"base": _btc(one.fee_sat or 0)}}
        else:
            told["error"] = f"{one.reason}, {one.detail}" if one.detail else one.reason
        results[display(one.wtxid)] = told
    message = "success" if package.is_accepted else "transaction failed"
    return {"package_msg": message, "tx-results": results}


def _handler(server: CoreServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            given = self.headers.get("authorization", "").removeprefix("Basic ")
            expected = base64.b64encode(server.cookie.encode()).decode()
            status, content = 401, b""
            if hmac.compare_digest(given, expected):
                status, content = server.answer(body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: a test says what went wrong."""

    return Handler
