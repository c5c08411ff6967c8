"""From a request to a drafted transaction. Pure: the same input gives the same bytes.

What is chosen: the option whose signers are there, coins (largest first, until outputs, fee and
change are paid), the order of inputs and outputs (drawn from the intent's unique number, so that it
tells nothing and replays), the version (3 where it relays and fits, BIP431), sequences and the lock
time. All of it is bounded by the path, the fee ceiling, the deadline and the contract's limits.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from controller.contracts.context import Coin, ExecutionContext, Request
from controller.contracts.contract import CHANGE, Contract
from controller.contracts.destinations import check_request
from controller.contracts.draft import Draft
from controller.contracts.errors import (
    DraftError,
    InsufficientCoinsError,
    LimitExceededError,
    NotYetError,
    UnsatisfiedError,
)
from controller.contracts.locks import LockDraw, lock_time_of
from controller.contracts.meter import Shape, Usage, check_dust, check_usage, measure
from controller.contracts.paths import ContractPath
from controller.contracts.split import Split
from controller.wallets.feerates import (
    TRUC_CHILD_MAX_WEIGHT,
    TRUC_MAX_WEIGHT,
    TRUC_VERSION,
    base_weight,
    output_weight,
)
from shared.bitcoin.transaction import Transaction, TxIn, TxOut


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is paid and from what: outputs, then moves, then change if `has_change`."""

    coins: tuple[Coin, ...]
    outputs: tuple[TxOut, ...]
    fee_sat: int
    weight: int
    has_change: bool = False


def execute(
    contract: Contract,
    path_name: str,
    context: ExecutionContext,
    request: Request,
    split: Split | None = None,
) -> Draft:
    """The transaction that carries the request out by that path.

    `split` is what a revenue share's outputs have to be. Refused with a DraftError: a path that is
    not open (NotYetError), a destination that the path does not allow, coins that do not suffice
    (InsufficientCoinsError), more fee than the ceiling or more than a limit (LimitExceededError).
    With an UnsatisfiedError where too few signers are there.
    """
    if context.now_ms >= request.deadline_ms:
        raise DraftError("deadline_ms", "passed", "a deadline that lies ahead")
    for intent in (request.intent, *request.batched):
        if intent not in context.approvals:
            raise DraftError("approvals", f"none of {intent.hex()}", "approved intents")
    path = contract.path(path_name)
    check_request(path, request, split)
    option = option_of(path, context.available)
    shape = contract.shape(path, option)
    plan = _plan(contract, path, context, request, shape)
    if plan.fee_sat > request.fee_ceiling_sat:
        raise LimitExceededError("fee_ceiling_sat", plan.fee_sat, request.fee_ceiling_sat)
    usage = measure(shape, len(plan.coins), len(plan.outputs), plan.weight, plan.fee_sat)
    check_usage(usage, contract.limits)
    paid = plan.outputs[: len(plan.outputs) - plan.has_change]
    check_dust(paid or plan.outputs, context.market.dust_relay_sat_per_kvb)
    return _draft(contract, path, option, plan, (context, request, usage))


def _draft(
    contract: Contract,
    path: ContractPath,
    option: int,
    plan: _Plan,
    world: tuple[ExecutionContext, Request, Usage],
) -> Draft:
    """The plan in its drawn order, with version, sequences and lock time."""
    context, request, usage = world
    intent = request.intent
    coins = sorted(plan.coins, key=lambda one: _drawn(intent, one.outpoint.serialise()))
    order = sorted(
        range(len(plan.outputs)), key=lambda at: _drawn(intent, plan.outputs[at].serialise())
    )
    transaction = Transaction(
        _version(context, coins, plan.weight),
        tuple([TxIn(one.outpoint, sequence=path.sequence) for one in coins]),
        tuple([plan.outputs[place] for place in order]),
        lock_time_of(path, context.tip, LockDraw.of(intent)),
    )
    spent = tuple([contract.output(one.part, one.index, one.branch) for one in coins])
    own = [contract.output(one.part, one.index) for one in request.moves]
    if plan.has_change:
        own.append(contract.output(path.change_part, context.next_change, CHANGE))
    first_own = len(order) - len(own)
    return Draft(
        contract,
        path,
        path.options[option],
        transaction,
        tuple(coins),
        spent,
        tuple([TxOut(c.amount_sat, o.script_pubkey) for c, o in zip(coins, spent, strict=True)]),
        order.index(len(order) - 1) if plan.has_change else None,
        {order.index(first_own + place): output for place, output in enumerate(own)},
        plan.fee_sat,
        usage,
    )


def option_of(path: ContractPath, available: frozenset[str]) -> int:
    """The first option for which enough signers are there."""
    for place, option in enumerate(path.options):
        if all(len(available.intersection(one.names)) >= one.required for one in option.signers):
            return place
    raise UnsatisfiedError(path.name, f"of the signers only {sorted(available)}", path.required)


def _plan(
    contract: Contract,
    path: ContractPath,
    context: ExecutionContext,
    request: Request,
    shape: Shape,
) -> _Plan:
    coins = _open_coins(path, context, request)
    if request.outputs or request.moves:
        return _payment(contract, path, context, request, (shape, coins))
    if not coins:
        raise InsufficientCoinsError(0, 1)
    script = request.sweep_to
    if script is None:
        script = _change_script(contract, path, context)
    weight = base_weight(1, output_weight(script), len(coins)) + shape.input_weight * len(coins)
    total = sum(one.amount_sat for one in coins)
    fee = request.fee_sat(context.market, weight)
    if total <= fee:
        raise InsufficientCoinsError(total, fee + 1)
    return _Plan(coins, (TxOut(total - fee, script),), fee, weight, request.sweep_to is None)


def _payment(
    contract: Contract,
    path: ContractPath,
    context: ExecutionContext,
    request: Request,
    found: tuple[Shape, tuple[Coin, ...]],
) -> _Plan:
    """Coins are added until they pay; what is left becomes change, or fee where it is dust."""
    shape, coins = found
    moves = tuple(
        [
            TxOut(one.amount_sat, contract.output(one.part, one.index).script_pubkey)
            for one in request.moves
        ]
    )
    outputs = request.outputs + moves
    paid = sum([one.amount_sat for one in outputs])
    outputs_weight = sum([output_weight(one.script_pubkey) for one in outputs])
    change_script = _change_script(contract, path, context)
    change_weight = output_weight(change_script)
    least_change = contract.least_sat(path.change_part, context.market.dust_relay_sat_per_kvb)
    total, fee, named = 0, 0, len(request.spend)
    ordered = (*coins[:named], *sorted(coins[named:], key=_largest_first))
    for count, coin in enumerate(ordered, 1):
        total += coin.amount_sat
        if count < named:
            continue
        inputs = shape.input_weight * count
        weight = inputs + base_weight(len(outputs) + 1, outputs_weight + change_weight, count)
        fee = request.fee_sat(context.market, weight)
        change = total - paid - fee
        if change >= least_change:
            made = (*outputs, TxOut(change, change_script))
            return _Plan(ordered[:count], made, fee, weight, has_change=True)
        weight = inputs + base_weight(len(outputs), outputs_weight, count)
        fee = request.fee_sat(context.market, weight)
        if total - paid >= fee:
            left = total - paid
            return _Plan(ordered[:count], outputs, left, weight)
    raise InsufficientCoinsError(total, paid + fee)


def _largest_first(coin: Coin) -> tuple[int, bytes, int]:
    return -coin.amount_sat, coin.outpoint.txid, coin.outpoint.vout


def _change_script(contract: Contract, path: ContractPath, context: ExecutionContext) -> bytes:
    return contract.output(path.change_part, context.next_change, CHANGE).script_pubkey


def _open_coins(
    path: ContractPath, context: ExecutionContext, request: Request
) -> tuple[Coin, ...]:
    """The path's coins that a block upon the tip may see spent, the named ones first.

    NotYetError where all wait, or a named one does.
    """
    next_height = context.tip.height + 1
    mine = {
        one.outpoint: one for one in context.coins if one.part == path.part and one.is_spendable
    }
    missing = [one.hex for one in request.spend if one not in mine]
    if missing or len(set(request.spend)) != len(request.spend):
        raise DraftError("spend", ", ".join(missing) or "one twice", "spendable coins of the path")
    named = [mine.pop(one) for one in request.spend]
    is_sweep = not (request.outputs or request.moves)
    others = [] if named and is_sweep else list(mine.values())
    heights = [one.spendable_from(path, next_height) for one in (*named, *others)]
    first, rest = heights[: len(named)], heights[len(named) :]
    if max(first, default=0) > next_height:
        raise NotYetError(path.name, context.tip.height, max(first))
    if not named and rest and min(rest) > next_height:
        raise NotYetError(path.name, context.tip.height, min(rest))
    open_now = [one for one, at in zip(others, rest, strict=True) if at <= next_height]
    return (*named, *open_now)


def _version(context: ExecutionContext, coins: Sequence[Coin], weight: int) -> int:
    """3 where it relays and the transaction fits; a child has its parent's (BIP431)."""
    parents = {one.parent.txid: one.parent.version for one in coins if one.parent is not None}
    if parents:
        versions = set(parents.values())
        if len(versions) > 1:
            raise DraftError("coins", "parents of versions 2 and 3", "parents of one version")
        if versions != {TRUC_VERSION}:
            return 2
        if len(parents) > 1 or weight > TRUC_CHILD_MAX_WEIGHT:
            raise LimitExceededError("truc_child_weight", weight, TRUC_CHILD_MAX_WEIGHT)
        return TRUC_VERSION
    return TRUC_VERSION if context.market.relays_truc and weight <= TRUC_MAX_WEIGHT else 2


def _drawn(seed: bytes, content: bytes) -> bytes:
    return hashlib.sha256(seed + content).digest()
