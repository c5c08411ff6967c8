"""Random parameters of every template, and random requests that each path allows."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from controller.contracts.context import (
    Coin,
    ExecutionContext,
    FeeMarket,
    Move,
    Request,
    Tip,
)
from controller.contracts.contract import Contract, Template, build
from controller.contracts.draft import Draft
from controller.contracts.execute import execute
from controller.contracts.musig_signing import sign_together
from controller.contracts.parties import OutputForm, Participant
from controller.contracts.paths import Anywhere, ContractPath, OnlyPart, OnlyScripts
from controller.contracts.signing import InputSignatures, MemoryKeys, sign
from controller.contracts.split import Split
from controller.contracts.templates import (
    decaying_treasury,
    escrow,
    htlc,
    musig_treasury,
    revenue_share,
    treasury,
    vault,
    vesting,
)
from shared.bitcoin import address, script
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.hashes import sha256
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, TxOut

NETWORK = Network.REGTEST
PEOPLE = 16
SECRET = bytes(range(32))
INTENT = bytes(range(16))
APPROVALS = frozenset((INTENT,))
SOME_ADDRESS = address.encode(script.witness_program(0, bytes(20)), NETWORK)
OTHER_ADDRESS = address.encode(script.witness_program(1, bytes(32)), NETWORK)
NOW_MS = 1_000
DEADLINE_MS = 2_000
MARKET = FeeMarket(2_345)
_PATH = KeyPath.parse("48h/1h/0h/2h")


@cache
def accounts() -> tuple[ExtendedPrivateKey, ...]:
    """Account keys of fixed seeds."""
    return tuple(
        ExtendedPrivateKey.of_seed(bytes((number,)) * 32).derive(_PATH)
        for number in range(1, PEOPLE + 1)
    )


@cache
def people() -> tuple[Participant, ...]:
    """A participant for every account."""
    masters = [ExtendedPrivateKey.of_seed(bytes((n,)) * 32) for n in range(1, PEOPLE + 1)]
    return tuple(
        Participant(
            f"person-{number}",
            f"[{KeyOrigin(master.fingerprint, _PATH)}]{one.public.serialise(NETWORK)}",
        )
        for number, (master, one) in enumerate(zip(masters, accounts(), strict=True))
    )


def keys_of(names: frozenset[str]) -> MemoryKeys:
    """The account keys of these people."""
    return MemoryKeys(
        one for person, one in zip(people(), accounts(), strict=True) if person.name in names
    )


@dataclass
class Chance:
    """Draws parameters; locks stay below `highest` blocks."""

    draw: random.Random
    highest: int

    def some(self, low: int, high: int) -> tuple[Participant, ...]:
        return tuple(self.draw.sample(people(), self.draw.randint(low, high)))

    def quorum(self, high: int = 4) -> tuple[int, tuple[Participant, ...]]:
        signers = self.some(1, high)
        return self.draw.randint(1, len(signers)), signers

    def output(self) -> OutputForm:
        return self.draw.choice(list(OutputForm))

    def blocks(self, low: int = 1) -> int:
        return self.draw.randint(low, max(low, min(self.highest, 65_535)))

    def height(self) -> int:
        return self.draw.randint(1, self.highest)

    def rising(self, count: int, most: int) -> list[int]:
        return sorted(self.draw.sample(range(1, most), count))

    def amount(self) -> int:
        return self.draw.randint(100_000, 10_000_000)


def _treasury(chance: Chance) -> treasury.TreasuryTerms:
    required, signers = chance.quorum(5)
    return treasury.TreasuryTerms(required, signers, chance.output())


def _decaying(chance: Chance) -> decaying_treasury.DecayingTreasuryTerms:
    required, signers = chance.quorum()
    recoveries = []
    *waits, last = chance.rising(chance.draw.randint(2, 3), min(chance.highest, 65_535))
    needed = required
    for wait in waits:
        needed = chance.draw.randint(1, needed)
        others = chance.some(needed, needed + 2)
        recoveries.append(decaying_treasury.Decay(wait, needed, others))
    emergency = chance.draw.choice(people())
    return decaying_treasury.DecayingTreasuryTerms(
        emergency, required, signers, tuple(recoveries), last, chance.output()
    )


def _escrow(chance: Chance) -> escrow.EscrowTerms:
    buyer, seller, arbiter = chance.some(3, 3)
    to_buyer, to_seller = (address.encode(payee_script(chance.draw), NETWORK) for _ in range(2))
    return escrow.EscrowTerms(
        buyer, seller, arbiter, to_buyer, to_seller, chance.amount(), chance.height()
    )


def _vesting(chance: Chance) -> vesting.VestingTerms:
    beneficiary, *company = chance.some(2, 4)
    *heights, last = chance.rising(chance.draw.randint(2, 3), chance.highest)
    tranches = tuple(vesting.Tranche(height, chance.amount()) for height in heights)
    required = chance.draw.randint(1, len(company))
    return vesting.VestingTerms(
        beneficiary, required, tuple(company), tranches, last, chance.output()
    )


def _vault(chance: Chance) -> vault.VaultTerms:
    everyone = chance.some(2, 6)
    cut = chance.draw.randint(1, len(everyone) - 1)
    signers, guardians = everyone[:cut], everyone[cut:]
    return vault.VaultTerms(
        chance.draw.randint(1, len(signers)),
        signers,
        chance.draw.randint(1, len(guardians)),
        guardians,
        chance.blocks(6),
        chance.output(),
    )


def _htlc(chance: Chance) -> htlc.HtlcTerms:
    sender, receiver = chance.some(2, 2)
    return htlc.HtlcTerms(
        sender, receiver, sha256(SECRET), chance.amount(), chance.height(), chance.output()
    )


def _musig(chance: Chance) -> musig_treasury.MusigTreasuryTerms:
    signers = chance.some(2, 4)
    wait = chance.draw.choice([0, chance.blocks()])
    return musig_treasury.MusigTreasuryTerms(signers, chance.draw.randint(1, len(signers)), wait)


def _revenue(chance: Chance) -> revenue_share.RevenueShareTerms:
    trustee, *operators = chance.some(2, 5)
    payees = [
        revenue_share.Payee(f"payee-{place}", address.encode(payee_script(chance.draw), NETWORK))
        for place in range(chance.draw.randint(2, 8))
    ]
    return revenue_share.RevenueShareTerms(
        payees[0],
        trustee,
        chance.draw.randint(1, len(operators)),
        tuple(operators),
        tuple(payees[1:]),
        chance.draw.randint(0, 300_000),
        chance.draw.randint(330, 5_000),
        chance.blocks(144),
        chance.output(),
    )


DRAWN: Mapping[str, tuple[Template[Any], Callable[[Chance], Any]]] = {
    "treasury": (treasury.TEMPLATE, _treasury),
    "decaying-treasury": (decaying_treasury.TEMPLATE, _decaying),
    "escrow": (escrow.TEMPLATE, _escrow),
    "vesting": (vesting.TEMPLATE, _vesting),
    "vault": (vault.TEMPLATE, _vault),
    "htlc": (htlc.TEMPLATE, _htlc),
    "musig-treasury": (musig_treasury.TEMPLATE, _musig),
    "revenue-share": (revenue_share.TEMPLATE, _revenue),
}


def draw_contract(template: str, draw: random.Random, highest: int = 60_000) -> Contract:
    """A contract of that template with random parameters."""
    found, terms = DRAWN[template]
    return build(found, terms(Chance(draw, highest)), NETWORK)


def payee_script(draw: random.Random) -> bytes:
    """Somebody's output script."""
    version = draw.choice([0, 1])
    return script.witness_program(version, draw.randbytes(32 if version else 20))


def everyone(contract: Contract) -> frozenset[str]:
    """All who have a key in the contract."""
    return frozenset(name for names in contract.owners.values() for name in names)


def quorum(path: ContractPath, draw: random.Random) -> frozenset[str]:
    """Just enough signers for a random option of the path."""
    option = draw.choice(path.options)
    return frozenset(
        name for group in option.signers for name in draw.sample(group.names, group.required)
    )


def draw_coins(
    path: ContractPath, draw: random.Random, height: int, count: int
) -> tuple[Coin, ...]:
    """Coins of the path's part, all made at `height`."""
    return tuple(
        Coin(
            OutPoint(draw.randbytes(32), draw.randrange(5)),
            draw.randint(60_000, 5_000_000),
            path.part,
            draw.randrange(1_000),
            draw.randrange(2),
            height,
            is_final=True,
        )
        for _ in range(count)
    )


def draw_request(
    contract: Contract, path: ContractPath, draw: random.Random, available_sat: int
) -> tuple[Request, Split | None]:
    """A request that the path allows and that so much pays for."""
    seed = INTENT
    amount = draw.randint(1_000, available_sat - 30_000)
    if isinstance(path.destination, OnlyPart):
        move = Move(path.destination.part, draw.randrange(100), amount)
        return Request(200_000, DEADLINE_MS, seed, moves=(move,)), None
    if isinstance(path.destination, OnlyScripts):
        script_pubkey = draw.choice(sorted(path.destination.scripts))
        if draw.randrange(2):
            return Request(200_000, DEADLINE_MS, seed, sweep_to=script_pubkey), None
        return Request(200_000, DEADLINE_MS, seed, (TxOut(amount, script_pubkey),)), None
    if isinstance(path.destination, Anywhere):
        if draw.randrange(3) == 0:
            return Request(200_000, DEADLINE_MS, seed, sweep_to=payee_script(draw)), None
        output = TxOut(amount, payee_script(draw))
        return Request(200_000, DEADLINE_MS, seed, (output,)), None
    terms: Any = contract.terms
    work = {one.name: draw.randrange(10**18) for one in terms.customers}
    work[terms.customers[0].name] += 10**18
    made = revenue_share.split(terms, NETWORK, amount + 20_000, work)
    return Request(200_000, DEADLINE_MS, seed, made.outputs), made


def draw_draft(contract: Contract, path: ContractPath, draw: random.Random) -> Draft:
    """A draft by that path in the first block that may have it, with just enough signers."""
    made_at = draw.randrange(1, 2_000)
    coins = draw_coins(path, draw, made_at, draw.randint(1, 3))
    tip = Tip(max(path.earliest_height(made_at) - 1, made_at), 1_700_000_000)
    names = quorum(path, draw)
    context = ExecutionContext(tip, coins, MARKET, names, APPROVALS, draw.randrange(100), NOW_MS)
    smallest = max(one.amount_sat for one in coins)
    request, split = draw_request(contract, path, draw, smallest)
    return execute(contract, path.name, context, request, split)


def signed(draft: Draft, names: frozenset[str], draw: random.Random) -> tuple[InputSignatures, ...]:
    """What these people sign; by the key path of an aggregate they do it together."""
    keys = keys_of(names)
    if draft.path.name == "together":
        return sign_together(draft, keys, lambda: draw.randbytes(32))
    return sign(draft, keys, draw.randbytes(32))


def names_of(draft: Draft) -> frozenset[str]:
    """The first so many of each of the option's groups."""
    return frozenset(
        name for group in draft.option.signers for name in group.names[: group.required]
    )
