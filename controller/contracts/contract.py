"""A contract: a template's parameters, the descriptors they become, and the paths that spend them.

`build` compiles each part's ways and then reads the paths back from the script. A script with a
path that no way declares, or a way without its path, is refused: what is explained is what the
coins really obey.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

from controller.contracts.errors import TermsError, UnknownNameError
from controller.contracts.meter import Limits, Shape
from controller.contracts.parties import Seats
from controller.contracts.paths import (
    ContractPath,
    EnforcedBy,
    Normal,
    Option,
    Quorate,
    Rule,
    Way,
    consensus_rules,
    normal_forms,
)
from controller.contracts.shapes import shape_of
from controller.contracts.terms import Terms, rows
from controller.wallets.feerates import dust_limit_sat
from shared.approvals.intents import ContractIntent
from shared.bitcoin import address
from shared.bitcoin.descriptors import DerivedOutput, Descriptor, Form, SpendingPath, parse
from shared.bitcoin.miniscript import Context, Path
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import InternalKey, Key, Or, Policy, compile_policy, compile_taproot

RECEIVE, CHANGE = 0, 1
"""The branches of every part's descriptor."""

MAX_HEIGHT = 499_999_999
"""Above it a lock time is a time and no height (BIP65)."""
MAX_OLDER_BLOCKS = 65_535
"""The longest relative lock in blocks (BIP68): about 455 days."""

_CACHED = 10_000

T_contra = TypeVar("T_contra", bound=Terms, contravariant=True)


@dataclass(frozen=True, slots=True)
class Part:
    """One output of a contract: its ways, and what it has to be funded with (None: any amount).

    With `key_way` that way's key spends a taproot output alone; it is then a Key.
    """

    name: str
    form: Form
    ways: tuple[Way, ...]
    amount_sat: int | None = None
    key_way: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a template makes of its parameters."""

    parts: tuple[Part, ...]
    seats: Seats


@dataclass(frozen=True, slots=True)
class Template(Generic[T_contra]):
    """A kind of contract: its parameters' type and what they become. Found by entry point."""

    name: str
    title: str
    terms: type[Terms]
    lay_out: Callable[[T_contra, Network], Layout]


@dataclass(frozen=True)
class Contract:
    """A contract as it can be funded and spent. Immutable; derived outputs are kept.

    `descriptors` and `amounts_sat` are by part, in the template's order.
    """

    template: str
    terms: Terms
    network: Network
    descriptors: Mapping[str, Descriptor]
    amounts_sat: Mapping[str, int | None]
    paths: Mapping[str, ContractPath]
    owners: Mapping[str, tuple[str, ...]]
    limits: Limits = field(default_factory=Limits)
    _derived: Callable[[str, int, int], DerivedOutput] = field(
        init=False, repr=False, compare=False
    )
    _least: dict[tuple[str, int], int] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _shapes: dict[tuple[str, int], Shape] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_derived", lru_cache(maxsize=_CACHED)(self._derive))

    def path(self, name: str) -> ContractPath:
        """The path of that name; UnknownNameError names those there are."""
        found = self.paths.get(name)
        if found is None:
            raise UnknownNameError("path", repr(name)[:60], ", ".join(self.paths))
        return found

    def output(self, part: str, index: int, branch: int = RECEIVE) -> DerivedOutput:
        """The output of a part at an index; branch 0 is shown to payers, 1 takes change.

        A part whose keys are all single ones has one output, whatever the index and branch.
        """
        return self._derived(part, index, branch)

    def least_sat(self, part: str, dust_relay_sat_per_kvb: int) -> int:
        """The least that an output of the part may hold to be relayed; the same for every index."""
        place = part, dust_relay_sat_per_kvb
        found = self._least.get(place)
        if found is None:
            script_pubkey = self.output(part, 0).script_pubkey
            found = self._least[place] = dust_limit_sat(script_pubkey, dust_relay_sat_per_kvb)
        return found

    def address(self, part: str, index: int, branch: int = RECEIVE) -> str:
        """The address of an output."""
        return address.encode(self.output(part, index, branch).script_pubkey, self.network)

    def shape(self, path: ContractPath, option: int) -> Shape:
        """The most that an input needs by that option of the path."""
        place = path.name, option
        found = self._shapes.get(place)
        if found is None:
            output = self.output(path.part, 0)
            found = self._shapes[place] = shape_of(path, path.options[option], output)
        return found

    def intent(self, contract: str, step: str, deadline_ms: int, unique: bytes) -> ContractIntent:
        """What approvers sign for a step that takes these very terms."""
        return ContractIntent(
            contract, self.template, step, self.approved_rows, deadline_ms, unique
        )

    def _derive(self, part: str, index: int, branch: int) -> DerivedOutput:
        descriptor = self.descriptors.get(part)
        if descriptor is None:
            raise UnknownNameError("part", repr(part)[:60], ", ".join(self.descriptors))
        is_one = not descriptor.is_ranged
        return descriptor.at(0 if is_one else index, 0 if is_one else branch)

    @cached_property
    def approved_rows(self) -> tuple[tuple[str, str], ...]:
        """Network, parameters and each part's first address, as approvers read them."""
        own = (("network", self.network.value), *rows(self.terms))
        return own + tuple((f"address.{part}", self.address(part, 0)) for part in self.descriptors)


def build(
    template: Template[T_contra], terms: T_contra, network: Network, limits: Limits | None = None
) -> Contract:
    """The contract that the parameters make; TermsError or a BitcoinError says why they make none.

    Every path's witness is tried once, so that no contract is funded that has a dead path.
    """
    layout = template.lay_out(terms, network)
    descriptors: dict[str, Descriptor] = {}
    paths: dict[str, ContractPath] = {}
    owners = dict(layout.seats.owner)
    for part in layout.parts:
        descriptor = descriptors[part.name] = parse(_compile(part), network)
        for path in _paths(part, descriptor, owners):
            if path.name in paths:
                raise TermsError("paths", f"{path.name} twice", "different names")
            paths[path.name] = path
    amounts = {part.name: part.amount_sat for part in layout.parts}
    contract = Contract(
        template.name, terms, network, descriptors, amounts, paths, owners, limits or Limits()
    )
    for path in paths.values():
        for place in range(len(path.options)):
            contract.shape(path, place)
    return contract


def with_limits(contract: Contract, limits: Limits) -> Contract:
    """The same contract under other limits."""
    return replace(contract, limits=limits)


def _compile(part: Part) -> str:
    policy = _union(part.ways)
    if part.form is Form.WSH:
        return f"wsh({compile_policy(policy, Context.P2WSH)})"
    keyed = next((one for one in part.ways if one.name == part.key_way), None)
    if keyed is None:
        return str(compile_taproot(policy, InternalKey.NOBODY))
    if not isinstance(keyed.policy, Key):
        raise TermsError("key_way", f"{keyed.name} asks for more than a key", "one key")
    if len(part.ways) == 1:
        return f"tr({keyed.policy.name})"
    return str(compile_taproot(policy, keyed.policy.name))


def _union(ways: tuple[Way, ...]) -> Policy:
    if len(ways) == 1:
        return ways[0].policy
    return Or(tuple(one.policy for one in ways), tuple(one.weight for one in ways))


def _paths(
    part: Part, descriptor: Descriptor, owners: Mapping[str, tuple[str, ...]]
) -> list[ContractPath]:
    """Each declared way with the script's own paths that are it; the two have to match wholly."""
    unclaimed: dict[Normal, SpendingPath] = {}
    for spending in descriptor.paths:
        for normal in normal_forms(spending.path):
            unclaimed.setdefault(normal, spending)
    for spending in descriptor.paths:
        if spending.path.after > MAX_HEIGHT or spending.path.older > MAX_OLDER_BLOCKS:
            raise TermsError("paths", "a lock in seconds", "locks in heights and blocks")
    found = []
    for way in part.ways:
        options: list[SpendingPath] = []
        forms = [form for one in _meant(way.policy) for form in normal_forms(one)]
        for form in forms:
            if form not in unclaimed:
                raise TermsError("paths", f"{way.name} is not in the script", "every way once")
            spending = unclaimed.pop(form)
            if spending not in options:
                options.append(spending)
        found.append(_path(part, way, options, owners))
    if unclaimed:
        raise TermsError("paths", "the script has a path that no way declares", "none")
    return found


def _meant(policy: Policy) -> tuple[Path, ...]:
    if isinstance(policy, Key):
        return (Path.of_key(policy.name),)
    return compile_policy(policy, Context.TAPSCRIPT).paths


def _path(
    part: Part,
    way: Way,
    spendings: list[SpendingPath],
    owners: Mapping[str, tuple[str, ...]],
) -> ContractPath:
    options = tuple(
        Option(
            one, _signers(one.path, owners), tuple((g.required, g.keys) for g in one.path.signers)
        )
        for one in spendings
    )
    first = spendings[0].path
    required = ", or ".join(" and ".join(map(str, one.signers)) for one in options)
    by_signers = tuple(Rule(text, EnforcedBy.SIGNERS) for text in way.signer_rules)
    return ContractPath(
        way.name,
        part.name,
        way.purpose,
        way.outcome,
        options,
        first.older,
        first.after,
        first.hashes,
        way.destination,
        consensus_rules(first, required) + by_signers,
        way.change_part or part.name,
    )


def _signers(path: Path, owners: Mapping[str, tuple[str, ...]]) -> tuple[Quorate, ...]:
    """The groups by name; those of whom all have to sign are told as one."""
    everyone: list[str] = []
    groups: list[Quorate] = []
    for one in path.signers:
        names = tuple(name for key in one.keys for name in owners[key])
        if one.required == len(one.keys):
            everyone += names
        else:
            groups.append(Quorate(one.required, names))
    if everyone:
        groups.insert(0, Quorate(len(everyone), tuple(everyone)))
    return tuple(groups)
