"""`bes address verify`: whether an address is a wallet's own, without network or database.

Run it on a machine that the controller does not reach, on a descriptor or kit that was kept
elsewhere: an address that somebody put in place of the wallet's is then found out.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.wallets.indices import CHANGE, RECEIVE, watched_until
from controller.wallets.recovery_kit import MOST_BYTES, read_kit
from shared.bitcoin import address, descriptors
from shared.bitcoin.descriptors import Descriptor
from shared.bitcoin.networks import Network
from shared.errors import BadInputError

OWN, NOT_OWN, UNUSABLE = 0, 1, 2
GAP_LIMIT: Final = 20
MOST_USED: Final = 1_000_000
_NAMES: Final = {one.value: one for one in Network}
_BRANCHES: Final = {RECEIVE: "receive", CHANGE: "change"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A wallet that the address may belong to."""

    name: str
    descriptor: Descriptor
    gap_limit: int

    def indices(self, highest_used: int | None) -> int:
        """How many of each branch a restored wallet looks at; one where it has no others."""
        limit = watched_until(highest_used, self.gap_limit)
        return limit if self.descriptor.is_ranged else 1


@dataclass(frozen=True, slots=True)
class Found:
    """Where the address stands."""

    name: str
    branch: int
    index: int


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 the wallet's own, 1 not found within the gap, 2 unusable input."""
    arguments = _parser().parse_args(list(argv))
    try:
        return _verify(arguments)
    except (BadInputError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"bes address: {error}\n")
    return UNUSABLE


def find_address(
    script_pubkey: bytes, candidates: Sequence[Candidate], highest_used: int | None
) -> Found | None:
    """The first wallet, branch and index that pay to a script, as far as a restored wallet looks.

    `highest_used` is the last index that is known to be used on any branch, None for none.
    """
    for one in candidates:
        for branch in range(one.descriptor.branches):
            for index in range(one.indices(highest_used)):
                if one.descriptor.at(index, branch).script_pubkey == script_pubkey:
                    return Found(one.name, branch, index)
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bes address", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="whether an address is a wallet's own")
    source = verify.add_mutually_exclusive_group(required=True)
    source.add_argument("--descriptor", type=Path, metavar="FILE", help="a file with its text")
    source.add_argument("--kit", type=Path, metavar="FILE", help="a recovery kit")
    verify.add_argument("--network", choices=sorted(_NAMES), help="needed with --descriptor")
    verify.add_argument("--wallet", metavar="ORGANISATION/NAME", help="only this one of the kit")
    verify.add_argument("--gap-limit", type=int, help=f"{GAP_LIMIT} unless the kit says another")
    verify.add_argument("--highest-used", type=int, metavar="INDEX", help="the search goes beyond")
    verify.add_argument("address")
    return parser


def _verify(arguments: argparse.Namespace) -> int:
    highest: int | None = arguments.highest_used
    if highest is not None and not 0 <= highest <= MOST_USED:
        raise BadInputError("--highest-used", str(highest), f"from 0 to {MOST_USED}")
    network, candidates = _candidates(arguments)
    found = find_address(address.decode(arguments.address, network), candidates, highest)
    if found is None:
        looked = ", ".join(
            f"{one.name}: {one.descriptor.branches} x {one.indices(highest)}" for one in candidates
        )
        sys.stdout.write(f"NO: not among the addresses looked at ({looked}). Do not use it.\n")
        return NOT_OWN
    use = _BRANCHES.get(found.branch, "other")
    place = f"branch {found.branch} ({use}), index {found.index}"
    sys.stdout.write(f"yes: {place} of {found.name} on {network.value}\n")
    return OWN


def _candidates(arguments: argparse.Namespace) -> tuple[Network, list[Candidate]]:
    network = _NAMES.get(arguments.network)
    if arguments.kit is None:
        if network is None or arguments.wallet is not None:
            raise BadInputError("--descriptor", "with --wallet or without --network", "--network")
        gap_limit = GAP_LIMIT if arguments.gap_limit is None else arguments.gap_limit
        descriptor = descriptors.parse(_read(arguments.descriptor).strip(), network)
        return network, [Candidate("the descriptor", descriptor, gap_limit)]
    kit = read_kit(_read(arguments.kit))
    if network not in (None, kit.network):
        raise BadInputError("--network", arguments.network, f"{kit.network.value}, the kit's")
    names = [f"{one.organisation}/{one.name}" for one in kit.wallets]
    if not names or arguments.wallet not in (None, *names):
        allowed = ", ".join(names) or "a kit with wallets"
        raise BadInputError("--wallet", arguments.wallet or "none in the kit", allowed)
    return kit.network, [
        Candidate(
            name,
            descriptors.parse(one.descriptor, kit.network),
            one.gap_limit if arguments.gap_limit is None else arguments.gap_limit,
        )
        for name, one in zip(names, kit.wallets, strict=True)
        if arguments.wallet in (None, name)
    ]


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BadInputError(str(path), "too long", f"at most {MOST_BYTES} bytes")
    return content.decode()
