"""The kinds of intent, and what approvers sign for each.

A *payment* pays its outputs exactly, and own change. A *child* hurries a payment along: it spends
the payment's own change to own change, under the payment's own ceiling, so nobody approves it
again. A *cancel* makes a payment impossible, and is approved like one. A *sweep* sends all that
some coins hold to one script. A *proof of funds* is signed and can never be mined (BIP322).

Payments are approved as `shared.approvals.intents.PaymentIntent`, the others as a `ContractIntent`
whose terms say all of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeAlias

from controller.contracts.errors import ContractError
from shared.approvals.intents import ContractIntent, PaymentIntent
from shared.bitcoin.amounts import check_amount_sat
from shared.bitcoin.transaction import OutPoint

ID_BYTES = 16
MAX_MESSAGE = 400


class Kind(StrEnum):
    """The kinds of intent."""

    PAYMENT = "payment"
    CHILD = "child"
    CANCEL = "cancel"
    SWEEP = "sweep"
    PROOF_OF_FUNDS = "proof of funds"


@dataclass(frozen=True, slots=True)
class Payment:
    """What was approved, as it was approved; its unique number is the intent's id."""

    kind: ClassVar[Kind] = Kind.PAYMENT
    approved: PaymentIntent

    @property
    def id(self) -> bytes:
        """16 bytes."""
        return self.approved.unique

    @property
    def fee_ceiling_sat(self) -> int:
        """The most that payment and children together leave to the miners."""
        return self.approved.fee_ceiling_sat

    @property
    def deadline_ms(self) -> int:
        """From then on no payment is signed for it; children and cancels still are."""
        return self.approved.deadline_ms


@dataclass(frozen=True, slots=True)
class _Step:
    """What an approved step of a contract has in common."""

    contract: str
    template: str
    fee_ceiling_sat: int
    deadline_ms: int
    id: bytes

    def _check(self) -> None:
        check_amount_sat("fee_ceiling_sat", self.fee_ceiling_sat)
        if len(self.id) != ID_BYTES:
            raise ContractError("id", f"{len(self.id)} bytes", f"{ID_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Cancel(_Step):
    """Spend an input of every payment signed for the intent `target`, to own change."""

    kind: ClassVar[Kind] = Kind.CANCEL
    target: bytes

    def __post_init__(self) -> None:
        self._check()
        if len(self.target) != ID_BYTES or self.target == self.id:
            raise ContractError("target", self.target.hex(), "another intent's id")

    @property
    def approved(self) -> ContractIntent:
        """What approvers sign."""
        terms = (("target", self.target.hex()), ("fee_ceiling_sat", str(self.fee_ceiling_sat)))
        return ContractIntent(
            self.contract, self.template, "cancel", terms, self.deadline_ms, self.id
        )


@dataclass(frozen=True, slots=True)
class Sweep(_Step):
    """Send all that these coins hold, less the fee, to one output script, by a path."""

    kind: ClassVar[Kind] = Kind.SWEEP
    path: str
    coins: tuple[OutPoint, ...]
    script_pubkey: bytes

    def __post_init__(self) -> None:
        self._check()
        if not 1 <= len(self.coins) <= 190 or len(set(self.coins)) != len(self.coins):
            raise ContractError("coins", f"{len(self.coins)}", "from 1 to 190, each once")

    @property
    def approved(self) -> ContractIntent:
        """What approvers sign."""
        terms = (
            ("path", self.path),
            ("script", self.script_pubkey.hex()),
            ("fee_ceiling_sat", str(self.fee_ceiling_sat)),
            *((f"coins.{place}", one.hex) for place, one in enumerate(sorted(self.coins), 1)),
        )
        return ContractIntent(
            self.contract, self.template, "sweep", terms, self.deadline_ms, self.id
        )


@dataclass(frozen=True, slots=True)
class ProofOfFunds(_Step):
    """Sign a message with the keys of these coins. The transaction's first input spends an output
    that does not exist (BIP322), so that no chain can have it."""

    kind: ClassVar[Kind] = Kind.PROOF_OF_FUNDS
    message: str
    coins: tuple[OutPoint, ...]

    def __post_init__(self) -> None:
        self._check()
        if self.fee_ceiling_sat:
            raise ContractError("fee_ceiling_sat", str(self.fee_ceiling_sat), "0: it pays none")
        if not 1 <= len(self.message) <= MAX_MESSAGE:
            raise ContractError("message", f"{len(self.message)}", f"1 to {MAX_MESSAGE} characters")
        if not 1 <= len(self.coins) <= 190 or len(set(self.coins)) != len(self.coins):
            raise ContractError("coins", f"{len(self.coins)}", "from 1 to 190, each once")

    @property
    def approved(self) -> ContractIntent:
        """What approvers sign."""
        terms = (
            ("message", self.message),
            *((f"coins.{place}", one.hex) for place, one in enumerate(sorted(self.coins), 1)),
        )
        return ContractIntent(
            self.contract, self.template, "proof-of-funds", terms, self.deadline_ms, self.id
        )


@dataclass(frozen=True, slots=True)
class Child:
    """Hurries `parent`, a signed transaction of the payment `target`."""

    kind: ClassVar[Kind] = Kind.CHILD
    target: bytes
    parent: bytes


Intent: TypeAlias = Payment | Child | Cancel | Sweep | ProofOfFunds
"""Any intent. A child has no approval of its own."""
