"""Who takes part in a contract, and the keys that each brings.

A participant brings one account key. Each use of it in a descriptor has a pair of branches of its
own (`/<0;1>/*`, then `/<2;3>/*`), so that no script holds one key twice (BIP379 asks for that) and
the ways of spending share no keys on the chain.
"""

from dataclasses import dataclass
from enum import Enum

from controller.contracts.errors import TermsError
from controller.contracts.terms import Terms, bounded, name_field
from shared.bitcoin.descriptors import Form, parse_key
from shared.bitcoin.networks import Network

MAX_SIGNERS = 15
"""Keys of one threshold: what P2WSH relays of one multisig with room for other ways."""


class OutputForm(Enum):
    """What kind of output the contract's coins lie in."""

    WSH = "wsh"
    TR = "tr"

    @property
    def form(self) -> Form:
        """The descriptor's form."""
        return Form(self.value)


@dataclass(frozen=True, slots=True)
class Participant(Terms):
    """A name and an account key: an extended public key with its origin and without steps, or one
    public key in hex, which serves for a single use."""

    name: str = name_field()
    key: str = bounded("characters of a key expression (BIP380)", 64, 300)


@dataclass(frozen=True, slots=True)
class Quorum:
    """So many of these."""

    required: int
    of: tuple[Participant, ...]

    def check(self, field: str) -> None:
        """TermsError where the number is more than there are, or one is there twice."""
        if not 1 <= self.required <= len(self.of):
            raise TermsError(field, f"{self.required} of {len(self.of)}", "as many as there are")
        check_distinct(field, self.of)


def check_distinct(field: str, participants: tuple[Participant, ...]) -> None:
    """TermsError where a name or a key is there twice."""
    for what, values in (
        ("name", [one.name for one in participants]),
        ("key", [one.key for one in participants]),
    ):
        if len(set(values)) != len(values):
            raise TermsError(field, f"one {what} twice", "different participants")


class Seats:
    """Hands out key expressions, and remembers whose each is."""

    def __init__(self, network: Network, form: Form) -> None:
        self.owner: dict[str, tuple[str, ...]] = {}
        self._uses: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self._network = network
        self._is_x_only = form is Form.TR

    def key(self, one: Participant) -> str:
        """The next key expression of a participant, in canonical text."""
        self._register(one)
        use = self._uses[one.name] = self._uses.get(one.name, -1) + 1
        is_extended = not one.key.endswith("*") and "pub" in one.key
        steps = f"/<{2 * use};{2 * use + 1}>/*" if is_extended else ""
        text = parse_key(one.key + steps, self._network, is_x_only=self._is_x_only).text
        self.owner[text] = (one.name,)
        return text

    def keys(self, participants: tuple[Participant, ...]) -> list[str]:
        """One key expression of each."""
        return [self.key(one) for one in participants]

    def aggregate(self, participants: tuple[Participant, ...]) -> str:
        """The MuSig2 aggregate of their account keys, derived as BIP328 has it."""
        for one in participants:
            self._register(one)
        inside = ",".join(one.key for one in participants)
        text = parse_key(f"musig({inside})/<0;1>/*", self._network, is_x_only=True).text
        self.owner[text] = tuple(one.name for one in participants)
        return text

    def _register(self, one: Participant) -> None:
        if self._keys.setdefault(one.name, one.key) != one.key:
            raise TermsError("participants", f"{one.name} with two keys", "one key a participant")
