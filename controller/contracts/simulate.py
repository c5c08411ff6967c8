"""What a path would do at any height and feerate: who signs, how long it waits, what it costs, or
why it cannot be. Pure; signs nothing."""

from dataclasses import dataclass, replace

from controller.contracts.context import ExecutionContext, Request, Tip
from controller.contracts.contract import Contract
from controller.contracts.draft import Draft
from controller.contracts.errors import ContractError
from controller.contracts.execute import execute
from controller.contracts.meter import Usage
from controller.contracts.paths import ContractPath, Rule
from controller.contracts.split import Split
from controller.wallets.feerates import vsize


@dataclass(frozen=True, slots=True)
class Simulation:
    """A path as it would be at that height and feerate.

    `problem` says why it cannot be, with the field and what is allowed; then `usage` and all that
    follows from it is None. `blocks_left` is how long the first coin still waits, None without a
    coin; `missing` are those not there now from whom the lacking signers have to come.
    """

    path: str
    explanation: str
    rules: tuple[Rule, ...]
    required: str
    missing: tuple[str, ...]
    blocks_left: int | None
    earliest_height: int | None
    problem: str | None
    usage: Usage | None
    change_sat: int | None

    @property
    def is_possible(self) -> bool:
        """Whether it would be drafted; who is missing has to come all the same."""
        return self.problem is None

    @property
    def vsize(self) -> int | None:
        """Virtual bytes, at most."""
        return None if self.usage is None else vsize(self.usage.weight)

    @property
    def fee_sat(self) -> int | None:
        """What the miners get."""
        return None if self.usage is None else self.usage.fee_sat


@dataclass(frozen=True, slots=True)
class Moment:
    """When and at what feerate: a tip's height and satoshi per 1,000 vB."""

    tip_height: int
    sat_per_kvb: int


def simulate(
    contract: Contract,
    path_name: str,
    context: ExecutionContext,
    request: Request,
    moment: Moment,
    split: Split | None = None,
) -> Simulation:
    """The simulation; UnknownNameError where there is no such path, and nothing else is raised.

    Everybody is taken to sign and the intents to be approved, so that the size is known; `missing`
    says who would still have to come.
    """
    path = contract.path(path_name)
    everybody = frozenset(name for names in contract.owners.values() for name in names)
    moved = replace(
        context,
        tip=Tip(moment.tip_height, context.tip.median_time_s),
        market=replace(context.market, sat_per_kvb=moment.sat_per_kvb),
        available=everybody,
        approvals=context.approvals | {request.intent, *request.batched},
    )
    draft, problem = _try(contract, path_name, moved, request, split)
    earliest = _earliest(path, moved)
    return Simulation(
        path.name,
        path.explain(),
        path.rules,
        path.required,
        _missing(path, context.available),
        None if earliest is None else max(0, earliest - moment.tip_height - 1),
        earliest,
        problem,
        None if draft is None else draft.usage,
        None if draft is None else _change(draft),
    )


def _try(
    contract: Contract,
    path_name: str,
    context: ExecutionContext,
    request: Request,
    split: Split | None,
) -> tuple[Draft | None, str | None]:
    try:
        return execute(contract, path_name, context, request, split), None
    except ContractError as refused:
        return None, str(refused)


def _earliest(path: ContractPath, context: ExecutionContext) -> int | None:
    """The first block that may have any coin's spend; an unconfirmed one is taken to be next."""
    next_height = context.tip.height + 1
    heights = [
        one.spendable_from(path, next_height)
        for one in context.coins
        if one.part == path.part and one.is_spendable
    ]
    return min(heights, default=None)


def _missing(path: ContractPath, available: frozenset[str]) -> tuple[str, ...]:
    """Of the options that lack fewest signers, the names to choose the missing ones from."""
    lacking: dict[int, dict[str, None]] = {}
    for option in path.options:
        needed = 0
        names: list[str] = []
        for group in option.signers:
            absent = [name for name in group.names if name not in available]
            short = max(0, group.required - (len(group.names) - len(absent)))
            needed += short
            names += absent if short else []
        lacking.setdefault(needed, {}).update(dict.fromkeys(names))
    return tuple(lacking[min(lacking)])


def _change(draft: Draft) -> int:
    return 0 if draft.change is None else draft.transaction.outputs[draft.change].amount_sat
