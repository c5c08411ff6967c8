"""What can be put before approvers: one frozen dataclass a kind.

Every kind checks itself when it is made, however it is made, so that what cannot be read from
bytes cannot be written either. `deadline_ms` is when the intent must not be carried out any more;
`unique` are 16 random bytes, so that no approval of one wish counts for an equal one later.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from shared.approvals import fields as check
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.actions import Action, Condition, decode_action, decode_conditions
from shared.messages.command import MAX_LIFETIME_MS

MAX_OUTPUTS = 500
MAX_TERMS = 200
_MAX_SCRIPT = 10_000


class IntentKind(StrEnum):
    """The kinds of intent."""

    PAYMENT = "payment"
    COMMAND = "command"
    POLICY = "policy"
    USER_GRANT = "user_grant"
    CONTRACT = "contract"


class Intent(Protocol):
    """One thing to be done, complete."""

    kind: ClassVar[IntentKind]

    @property
    def deadline_ms(self) -> int:
        """From then on it must not be carried out."""
        ...

    @property
    def unique(self) -> bytes:
        """16 random bytes."""
        ...

    def to_fields(self) -> dict[str, Any]:
        """Every field as plain data."""
        ...


@dataclass(frozen=True, slots=True)
class PaymentOutput:
    """An amount to an address, or to a script where no address says it (exactly one of the two)."""

    amount_sat: int
    address: str | None = None
    script: bytes | None = None

    def __post_init__(self) -> None:
        check.amount_sat(self.amount_sat, "outputs.amount_sat", 0 if self.script else 1)
        if (self.address is None) == (self.script is None):
            raise BadInputError("outputs", "not one destination", "an address or a script")
        if self.address is not None:
            check.address_text(self.address, "outputs.address")
        if self.script is not None and not 1 <= len(self.script) <= _MAX_SCRIPT:
            raise BadInputError("outputs.script", f"{len(self.script)} bytes", "1 to 10000 bytes")

    def to_row(self) -> list[Any]:
        """`[address or script, satoshi]`; text is an address, bytes are a script."""
        return [self.script if self.address is None else self.address, self.amount_sat]

    @classmethod
    def from_row(cls, row: object) -> "PaymentOutput":
        """Reads a row."""
        match row:
            case [str(address), int(amount_sat)]:
                return cls(amount_sat, address=address)
            case [bytes(script), int(amount_sat)]:
                return cls(amount_sat, script=script)
        raise BadInputError("outputs", repr(row)[:80], "[address or script, satoshi]")


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """Pay these outputs from a wallet, by a path of its contract, with at most this fee.

    The fee is free below its ceiling: a fee bump needs no new approval and can change nothing else.
    """

    kind: ClassVar[IntentKind] = IntentKind.PAYMENT
    wallet: str
    outputs: tuple[PaymentOutput, ...]
    contract_path: str
    fee_ceiling_sat: int
    deadline_ms: int
    unique: bytes

    def __post_init__(self) -> None:
        check.name_text(self.wallet, "wallet")
        check.name_text(self.contract_path, "contract_path", 200)
        check.amount_sat(self.fee_ceiling_sat, "fee_ceiling_sat")
        check.deadline_ms(self.deadline_ms)
        check.unique_bytes(self.unique)
        if not 1 <= len(self.outputs) <= MAX_OUTPUTS:
            raise BadInputError("outputs", f"{len(self.outputs)}", f"1 to {MAX_OUTPUTS} outputs")
        check.amount_sat(self.total_sat + self.fee_ceiling_sat, "outputs")

    @property
    def total_sat(self) -> int:
        """What the outputs come to, without the fee."""
        return sum(output.amount_sat for output in self.outputs)

    def to_fields(self) -> dict[str, Any]:
        """See `Intent`."""
        return {
            "contract_path": self.contract_path,
            "deadline_ms": self.deadline_ms,
            "fee_ceiling_sat": self.fee_ceiling_sat,
            "outputs": [output.to_row() for output in self.outputs],
            "unique": self.unique,
            "wallet": self.wallet,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "PaymentIntent":
        """Reads the fields."""
        wallet, outputs, path, fee, deadline, unique = check.take(
            fields, "wallet", "outputs", "contract_path", "fee_ceiling_sat", "deadline_ms", "unique"
        )
        rows = cbor.expect_list(outputs, "outputs", MAX_OUTPUTS)
        return cls(wallet, tuple(map(PaymentOutput.from_row, rows)), path, fee, deadline, unique)


@dataclass(frozen=True, slots=True)
class CommandIntent:
    """Have a node carry out an action, to be begun within `lifetime_ms` of its approval."""

    kind: ClassVar[IntentKind] = IntentKind.COMMAND
    site: str
    node: str
    action: Action
    precondition: tuple[Condition, ...]
    lifetime_ms: int
    deadline_ms: int
    unique: bytes

    def __post_init__(self) -> None:
        check.name_text(self.site, "site")
        check.name_text(self.node, "node")
        _check_texts(decode_action(self.action.name, self.action.to_params()).to_params())
        _check_texts([c.to_row() for c in self.precondition])
        decode_conditions([c.to_row() for c in self.precondition])
        cbor.expect_int(self.lifetime_ms, "lifetime_ms", 1, MAX_LIFETIME_MS)
        check.deadline_ms(self.deadline_ms)
        check.unique_bytes(self.unique)

    def to_fields(self) -> dict[str, Any]:
        """See `Intent`."""
        return {
            "action": self.action.name,
            "deadline_ms": self.deadline_ms,
            "lifetime_ms": self.lifetime_ms,
            "node": self.node,
            "params": self.action.to_params(),
            "precondition": [condition.to_row() for condition in self.precondition],
            "site": self.site,
            "unique": self.unique,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "CommandIntent":
        """Reads the fields."""
        names = ("site", "node", "action", "params", "precondition")
        site, node, action, params, precondition, lifetime, deadline, unique = check.take(
            fields, *names, "lifetime_ms", "deadline_ms", "unique"
        )
        return cls(
            site,
            node,
            decode_action(
                cbor.expect_text(action, "action", 40), cbor.expect_map(params, "params")
            ),
            decode_conditions(precondition),
            lifetime,
            deadline,
            unique,
        )


Term = tuple[str, str]
Change = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class PolicyIntent:
    """Change settings of a policy: rows of setting, what it is now and what it shall be."""

    kind: ClassVar[IntentKind] = IntentKind.POLICY
    policy: str
    changes: tuple[Change, ...]
    deadline_ms: int
    unique: bytes

    def __post_init__(self) -> None:
        check.name_text(self.policy, "policy")
        _check_rows(self.changes, "changes", 3)
        check.deadline_ms(self.deadline_ms)
        check.unique_bytes(self.unique)

    def to_fields(self) -> dict[str, Any]:
        """See `Intent`."""
        return {
            "changes": [list(change) for change in self.changes],
            "deadline_ms": self.deadline_ms,
            "policy": self.policy,
            "unique": self.unique,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "PolicyIntent":
        """Reads the fields."""
        policy, changes, deadline, unique = check.take(
            fields, "policy", "changes", "deadline_ms", "unique"
        )
        return cls(policy, _rows(changes, "changes"), deadline, unique)


class GrantChange(StrEnum):
    """What becomes of a right."""

    GRANT = "grant"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class UserGrantIntent:
    """Give a role on a scope to an account, or take it away."""

    kind: ClassVar[IntentKind] = IntentKind.USER_GRANT
    user: str
    change: GrantChange
    role: str
    scope: str
    deadline_ms: int
    unique: bytes

    def __post_init__(self) -> None:
        check.name_text(self.user, "user")
        check.name_text(self.role, "role")
        check.name_text(self.scope, "scope", 80)
        check.deadline_ms(self.deadline_ms)
        check.unique_bytes(self.unique)

    def to_fields(self) -> dict[str, Any]:
        """See `Intent`."""
        return {
            "change": self.change.value,
            "deadline_ms": self.deadline_ms,
            "role": self.role,
            "scope": self.scope,
            "unique": self.unique,
            "user": self.user,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "UserGrantIntent":
        """Reads the fields."""
        user, change, role, scope, deadline, unique = check.take(
            fields, "user", "change", "role", "scope", "deadline_ms", "unique"
        )
        if not isinstance(change, str) or change not in set(GrantChange):
            raise BadInputError("change", repr(change)[:60], "grant or revoke")
        return cls(user, GrantChange(change), role, scope, deadline, unique)


@dataclass(frozen=True, slots=True)
class ContractIntent:
    """Take a step of a contract (such as `open` or `settle`) with these terms."""

    kind: ClassVar[IntentKind] = IntentKind.CONTRACT
    contract: str
    template: str
    step: str
    terms: tuple[Term, ...]
    deadline_ms: int
    unique: bytes

    def __post_init__(self) -> None:
        check.name_text(self.contract, "contract")
        check.name_text(self.template, "template")
        check.name_text(self.step, "step")
        _check_rows(self.terms, "terms", 2)
        check.deadline_ms(self.deadline_ms)
        check.unique_bytes(self.unique)

    def to_fields(self) -> dict[str, Any]:
        """See `Intent`."""
        return {
            "contract": self.contract,
            "deadline_ms": self.deadline_ms,
            "step": self.step,
            "template": self.template,
            "terms": [list(term) for term in self.terms],
            "unique": self.unique,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "ContractIntent":
        """Reads the fields."""
        contract, template, step, terms, deadline, unique = check.take(
            fields, "contract", "template", "step", "terms", "deadline_ms", "unique"
        )
        return cls(contract, template, step, _rows(terms, "terms"), deadline, unique)


AnyIntent = PaymentIntent | CommandIntent | PolicyIntent | UserGrantIntent | ContractIntent

KINDS: Mapping[IntentKind, type[AnyIntent]] = MappingProxyType(
    {
        kind.kind: kind
        for kind in (PaymentIntent, CommandIntent, PolicyIntent, UserGrantIntent, ContractIntent)
    }
)


def _rows(value: object, field: str) -> tuple[Any, ...]:
    rows = cbor.expect_list(value, field, MAX_TERMS)
    return tuple(tuple(cbor.expect_list(row, field, 3)) for row in rows)


def _check_rows(rows: Sequence[tuple[str, ...]], field: str, width: int) -> None:
    """Rows of `width` texts, the first of which names the row and is there once."""
    names: set[str] = set()
    for row in rows:
        if len(row) != width:
            raise BadInputError(field, f"a row of {len(row)}", f"rows of {width} texts")
        names.add(check.name_text(row[0], field))
        for text in row[1:]:
            check.plain_text(text, field)
    if not 1 <= len(names) <= MAX_TERMS or len(names) != len(rows):
        raise BadInputError(field, "none, too many or one twice", f"1 to {MAX_TERMS}, each once")


def _check_texts(value: object) -> None:
    """Every text inside is one that shows what it is; a number that is none is refused."""
    match value:
        case dict():
            for item in value.values():
                _check_texts(item)
        case list():
            for item in value:
                _check_texts(item)
        case str():
            check.plain_text(value, "params", 200)
        case float() if not math.isfinite(value):
            raise BadInputError("precondition", repr(value), "a finite number")
