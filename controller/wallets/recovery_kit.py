"""What a wallet is found and spent with when the suite and its database are lost. Pure.

A kit is one JSON text: the descriptors, birth heights and gap limits, the labels (BIP329), and who
holds which key. It holds no secret. `find_coins` finds the coins again in nothing but blocks.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.wallets.bip329 import Label, read_label, write_labels
from controller.wallets.indices import WalletScripts, check_gap_limit, watched_until
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, Transaction
from shared.errors import BadInputError

FORMAT: Final = "bes-recovery-kit/1"
MOST_BYTES: Final = 64 * 2**20
_MOST_WALLETS = 1_000
_MOST_KEYS = 1_000
_MOST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class KitKey:
    """A key by its origin as descriptors write it (BIP380), and who holds it where."""

    origin: str
    holder: str
    place: str


@dataclass(frozen=True, slots=True)
class KitWallet:
    """One wallet."""

    organisation: str
    name: str
    descriptor: str
    birth_height: int
    gap_limit: int
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Kit:
    """Wallets of one network, and the keys that they name."""

    network: Network
    wallets: tuple[KitWallet, ...]
    keys: tuple[KitKey, ...]


@dataclass(frozen=True, slots=True)
class FoundCoin:
    """An unspent output, and the script of the descriptor that it pays to."""

    outpoint: OutPoint
    amount_sat: int
    branch: int
    index: int
    height: int
    is_coinbase: bool


def write_kit(kit: Kit) -> str:
    """The kit's text: equal kits give equal texts."""
    return (
        json.dumps(
            {
                "format": FORMAT,
                "network": kit.network.value,
                "keys": [
                    {"origin": one.origin, "holder": one.holder, "place": one.place}
                    for one in kit.keys
                ],
                "wallets": [
                    {
                        "organisation": one.organisation,
                        "name": one.name,
                        "descriptor": one.descriptor,
                        "birth_height": one.birth_height,
                        "gap_limit": one.gap_limit,
                        "labels": list(write_labels(one.labels)),
                    }
                    for one in kit.wallets
                ],
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def read_kit(text: str) -> Kit:
    """The kit that a text is; BadInputError names the field."""
    if len(text) > MOST_BYTES:
        raise BadInputError("kit", f"{len(text)} characters", f"at most {MOST_BYTES}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInputError("kit", "malformed", "a JSON object") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BadInputError("kit.format", "another or none", FORMAT)
    names = {one.value: one for one in Network}
    network = names.get(_text(found, "network", "kit"))
    if network is None:
        raise BadInputError("kit.network", "unknown", ", ".join(names))
    return Kit(
        network,
        tuple(
            _wallet(one, f"kit.wallets[{at}]")
            for at, one in enumerate(_list(found, "wallets", _MOST_WALLETS))
        ),
        tuple(
            KitKey(*(_text(one, name, f"kit.keys[{at}]") for name in ("origin", "holder", "place")))
            for at, one in enumerate(_list(found, "keys", _MOST_KEYS))
        ),
    )


def _wallet(found: Any, field: str) -> KitWallet:
    lines = _list(found, "labels", 10**6)
    labels = [read_label(str(line).encode(), f"{field}.labels") for line in lines]
    return KitWallet(
        organisation=_text(found, "organisation", field),
        name=_text(found, "name", field),
        descriptor=_text(found, "descriptor", field),
        birth_height=_count(found, "birth_height", field),
        gap_limit=check_gap_limit(_count(found, "gap_limit", field)),
        labels=tuple(one for one in labels if one is not None),
    )


def _value(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None


def _text(found: Any, name: str, field: str) -> str:
    value = _value(found, name)
    if not isinstance(value, str) or not 1 <= len(value) <= _MOST_TEXT:
        raise BadInputError(f"{field}.{name}", "no text", f"a text of 1 to {_MOST_TEXT}")
    return value


def _count(found: Any, name: str, field: str) -> int:
    value = _value(found, name)
    if type(value) is not int or not 0 <= value < 2**31:
        raise BadInputError(f"{field}.{name}", "no number", "a whole number, 0 or above")
    return value


def _list(found: Any, name: str, most: int) -> list[Any]:
    value = _value(found, name)
    if not isinstance(value, list) or len(value) > most:
        raise BadInputError(f"kit.{name}", "no list, or too long", f"a list of at most {most}")
    return value


class _Watched:
    """The scripts within the gap, kept full as others are used."""

    def __init__(self, scripts: WalletScripts, gap_limit: int) -> None:
        self._scripts = scripts
        self._gap_limit = gap_limit
        self._used: dict[int, int | None] = dict.fromkeys(range(scripts.branches))
        self._until = dict.fromkeys(self._used, 0)
        self.places: dict[bytes, tuple[int, int]] = {}
        for branch in self._used:
            self._fill(branch)

    def _fill(self, branch: int) -> None:
        until = watched_until(self._used[branch], self._gap_limit)
        for index in range(self._until[branch], until):
            self.places[self._scripts.script_at(branch, index)] = (branch, index)
        self._until[branch] = max(until, self._until[branch])

    def use_all(self, scripts: Sequence[bytes]) -> None:
        """A block pays to these: each that is ours may bring others within the gap."""
        before = -1
        while len(self.places) != before:
            before = len(self.places)
            for branch, index in [self.places[one] for one in scripts if one in self.places]:
                highest = self._used[branch]
                self._used[branch] = index if highest is None else max(index, highest)
                self._fill(branch)


def find_coins(
    scripts: WalletScripts,
    gap_limit: int,
    blocks: Iterable[tuple[int, Iterable[Transaction]]],
) -> Mapping[OutPoint, FoundCoin]:
    """The unspent outputs of a descriptor in blocks from its birth on, in their order.

    What a script further than the gap was paid before a nearer one was used is not found: nothing
    is given out there (`indices.next_index`).
    """
    watched = _Watched(scripts, check_gap_limit(gap_limit))
    coins: dict[OutPoint, FoundCoin] = {}
    for height, transactions in blocks:
        within = list(transactions)
        watched.use_all([one.script_pubkey for each in within for one in each.outputs])
        for transaction in within:
            for one in transaction.inputs:
                coins.pop(one.outpoint, None)
            for vout, output in enumerate(transaction.outputs):
                place = watched.places.get(output.script_pubkey)
                if place is None:
                    continue
                outpoint = OutPoint(transaction.txid, vout)
                coins[outpoint] = FoundCoin(
                    outpoint, output.amount_sat, *place, height, transaction.is_coinbase
                )
    return coins
