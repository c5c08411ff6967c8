"""Addresses derived and spends satisfied per second, beside the key derivations alone.

Deriving gives the output script of one index after the other, of branches in turn. The floor
derives the same children of the same parents (BIP32, one HMAC and one point addition a key) and
builds nothing of them. Satisfying builds the witness of a derived output from signatures that are
there; nothing compares with it. Medians of rounds in which floor and case take turns.

Run: `python -m tests.bench.descriptors [--json FILE]`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyPath
from shared.bitcoin.descriptors import Descriptor, Offered, parse
from shared.bitcoin.networks import Network
from tests.bench.report import Case, beside, show, write

_NETWORK = Network.REGTEST
_ROUNDS = 5
_KEYS = [
    ExtendedPrivateKey.of_seed(bytes([number]) * 32)
    .derive(KeyPath.parse("48h/1h/0h"))
    .public.serialise(_NETWORK)
    for number in range(1, 6)
]
_A, _B, _C, _D, _E = (f"{key}/<0;1>/*" for key in _KEYS)
_FORMS = {
    "p2wpkh": f"wpkh({_A})",
    "p2wsh_2of3": f"wsh(sortedmulti(2,{_A},{_B},{_C}))",
    "p2wsh_decaying": f"wsh(or_d(multi(2,{_A},{_B},{_C}),and_v(v:pkh({_D}),older(52560))))",
    "p2tr_key": f"tr({_A})",
    "p2tr_musig": f"tr(musig({_KEYS[0]},{_KEYS[1]})/<0;1>/*)",
    "p2tr_tree": f"tr({_A},{{multi_a(2,{_B},{_C},{_D}),and_v(v:pk({_E}),older(52560))}})",
}


def _rate(work: Callable[[int], object], count: int) -> float:
    begin = time.perf_counter()
    for index in range(count):
        work(index)
    return count / (time.perf_counter() - begin)


def derive(name: str, descriptor: Descriptor, count: int) -> Case:
    """Output scripts beside the bare keys."""
    keys = descriptor.key_expressions
    floors, rates = [], []
    for _ in range(_ROUNDS):
        floors.append(
            _rate(lambda index: [one.public_key(index & 1, index) for one in keys], count)
        )
        rates.append(_rate(lambda index: descriptor.at(index, index & 1).script_pubkey, count))
    return beside(
        f"derive {name}", statistics.median(rates), "addresses/s", statistics.median(floors)
    )


def satisfy(name: str, descriptor: Descriptor, count: int) -> Case:
    """Witnesses of one output from everybody's signatures."""
    output = descriptor.at(7)
    signatures = {use.key.public_key: bytes(71) for use in output.keys}
    by_leaf = {
        (use.key.public_key[1:], leaf_hash): bytes(64)
        for use in output.keys
        for leaf_hash in use.leaf_hashes
    }
    offered = Offered(signatures, leaf_signatures=by_leaf)
    if output.satisfaction(offered) is None:
        raise RuntimeError(f"nothing satisfies {name}")
    rates = [_rate(lambda _: output.satisfaction(offered), count) for _ in range(_ROUNDS)]
    return Case(f"satisfy {name}", statistics.median(rates), "witnesses/s")


def run(count: int) -> list[Case]:
    """Every form derived, the scripts satisfied."""
    parsed = {name: parse(text, _NETWORK) for name, text in _FORMS.items()}
    cases = [derive(name, one, count) for name, one in parsed.items()]
    return cases + [satisfy(name, one, count) for name, one in parsed.items() if one.leaves]


def main(arguments: Sequence[str]) -> int:
    """Prints the cases, and writes them where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--count", type=int, default=2_000)
    chosen = parser.parse_args(arguments)
    cases = run(chosen.count)
    print(show(cases))
    if chosen.json is not None:
        write(chosen.json, "descriptors", cases)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
