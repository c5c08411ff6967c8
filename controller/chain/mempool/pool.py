"""The mempool's contents as a graph of parents and children."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.bitcoin.transaction import OutPoint, Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that was accepted; `vsize` counts sigops where they weigh more (Core's)."""

    transaction: Transaction
    wtxid: bytes
    weight: int
    sigops_cost: int
    vsize: int
    fee_sat: int
    time_s: int
    height: int

    @property
    def txid(self) -> bytes:
        """The transaction's id in wire order."""
        return self.transaction.txid


class Pool:
    """Entries by id, parents before children; the rules only read it, `embedded` changes it."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._spenders: dict[OutPoint, bytes] = {}
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    @property
    def weight(self) -> int:
        """The weight of all of it."""
        return self._weight

    def copy(self) -> "Pool":
        """An independent one with the same entries."""
        other = Pool()
        other._entries = dict(self._entries)
        other._spenders = dict(self._spenders)
        other._weight = self._weight
        return other

    def get(self, txid: bytes) -> Entry | None:
        """The entry, None if there is none."""
        return self._entries.get(txid)

    def entries(self, txids: Iterable[bytes]) -> list[Entry]:
        """The entries with these ids, each of which is there."""
        return [self._entries[txid] for txid in txids]

    def spender(self, outpoint: OutPoint) -> bytes | None:
        """The transaction here that spends an output, None if none does."""
        return self._spenders.get(outpoint)

    def add(self, entry: Entry) -> None:
        """Puts it in; it conflicts with nothing here and its parents are here already."""
        self._entries[entry.txid] = entry
        self._weight += entry.weight
        for one in entry.transaction.inputs:
            self._spenders[one.outpoint] = entry.txid

    def remove(self, txid: bytes) -> None:
        """Takes it out alone; its children stay."""
        entry = self._entries.pop(txid)
        self._weight -= entry.weight
        for one in entry.transaction.inputs:
            del self._spenders[one.outpoint]

    def parents_of(self, transaction: Transaction) -> frozenset[bytes]:
        """Those here whose outputs it spends; it need not be here itself."""
        spent = {one.outpoint.txid for one in transaction.inputs}
        return frozenset(txid for txid in spent if txid in self._entries)

    def children(self, txid: bytes) -> frozenset[bytes]:
        """Those that spend its outputs."""
        outputs = range(len(self._entries[txid].transaction.outputs))
        found = (self._spenders.get(OutPoint(txid, vout)) for vout in outputs)
        return frozenset(one for one in found if one is not None)

    def ancestors_of(self, transaction: Transaction) -> frozenset[bytes]:
        """Parents, their parents and so on; without itself."""
        return self._closure(self.parents_of(transaction), up=True)

    def ancestors(self, txid: bytes) -> frozenset[bytes]:
        """The ancestors of one that is here, without itself."""
        return self.ancestors_of(self._entries[txid].transaction)

    def descendants(self, txid: bytes) -> frozenset[bytes]:
        """Children, their children and so on; without itself."""
        return self._closure(self.children(txid), up=False)

    def with_descendants(self, txids: Iterable[bytes]) -> frozenset[bytes]:
        """These and all their descendants."""
        found: set[bytes] = set()
        for txid in txids:
            found |= {txid} | self.descendants(txid)
        return frozenset(found)

    def cluster(self, txid: bytes) -> frozenset[bytes]:
        """All that is connected with it by parents and children, itself included."""
        found: set[bytes] = set()
        open_ends = {txid}
        while open_ends:
            one = open_ends.pop()
            found.add(one)
            parents = self.parents_of(self._entries[one].transaction)
            open_ends |= (parents | self.children(one)) - found
        return frozenset(found)

    def _closure(self, first: frozenset[bytes], *, up: bool) -> frozenset[bytes]:
        found: set[bytes] = set()
        open_ends = set(first)
        while open_ends:
            one = open_ends.pop()
            found.add(one)
            more = self.parents_of(self._entries[one].transaction) if up else self.children(one)
            open_ends |= more - found
        return frozenset(found)
