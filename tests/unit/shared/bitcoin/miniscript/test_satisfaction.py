"""Which witness is built from what is there; the cases are BIP379's and some beyond."""

from dataclasses import dataclass, field

import pytest

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.hashes import hash160, sha256
from shared.bitcoin.miniscript import Available, Context, Satisfaction, parse

_PREIMAGE = b"\xaa" * 32
_DIGEST = sha256(_PREIMAGE)
_KEYS = {name: b"\x02" + name.encode() * 32 for name in "ABCDE"}
_SIGNATURES = {name: b"\x30" + name.encode() * 70 for name in "ABCDE"}


@dataclass(frozen=True, slots=True)
class Case:
    """An expression, who signs, and whether that is enough."""

    text: str
    signers: str = ""
    enough: bool = False
    sequence: int = 0xFFFFFFFF
    lock_time: int = 0
    preimages: dict[bytes, bytes] = field(default_factory=dict)
    version: int = 2


def _satisfy(case: Case) -> Satisfaction | None:
    available = Available(
        {_KEYS[name]: _SIGNATURES[name] for name in case.signers},
        case.preimages,
        case.sequence,
        case.lock_time,
        case.version,
    )
    return parse(case.text, Context.P2WSH).satisfy(_KEYS, available)


_TWO_FACTORS = "and_v(v:pk(A),or_d(pk(B),older(12960)))"
_DECAYING = "thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(12960))"
_TO_LOCAL = "andor(pk(A),older(1008),pk(B))"
_HASHED = f"and_v(v:pk(A),sha256({_DIGEST.hex()}))"
_DATED = "and_v(v:pk(A),after(500000))"
_TIMED = "and_v(v:pk(A),after(1700000000))"
_AGED = "and_v(v:pk(A),older(4194306))"
_KNOWN = {_DIGEST: _PREIMAGE}


@pytest.mark.parametrize(
    "case",
    [
        Case("pk(A)"),
        Case("pk(A)", "A", True),
        Case("or_b(pk(A),s:pk(B))"),
        Case("or_b(pk(A),s:pk(B))", "B", True),
        Case("or_b(pk(A),s:pk(B))", "AB", True),
        Case(_TWO_FACTORS),
        Case(_TWO_FACTORS, "A", sequence=12959),
        Case(_TWO_FACTORS, "A", True, sequence=12960),
        Case(_TWO_FACTORS, "B", sequence=12960),
        Case(_TWO_FACTORS, "AB", True),
        Case(_TWO_FACTORS, "A", sequence=12960, version=1),
        Case(_TWO_FACTORS, "A", sequence=12960 | 1 << 31),
        Case(_TWO_FACTORS, "A", sequence=12960 | 1 << 22),
        Case(_DECAYING, "ABC", True),
        Case(_DECAYING, "AC"),
        Case(_DECAYING, "BC", True, sequence=12960),
        Case(_DECAYING, "A", sequence=12960),
        Case(_DECAYING, sequence=12960),
        Case(_TO_LOCAL, "A"),
        Case(_TO_LOCAL, "A", True, sequence=1008),
        Case(_TO_LOCAL, "B", True),
        Case(_HASHED, "A"),
        Case(_HASHED, preimages=_KNOWN),
        Case(_HASHED, "A", True, preimages=_KNOWN),
        Case(_DATED, "A", lock_time=500_000),
        Case(_DATED, "A", True, lock_time=500_000, sequence=0xFFFFFFFE),
        Case(_DATED, "A", lock_time=499_999, sequence=0xFFFFFFFE),
        Case(_DATED, "A", lock_time=1_700_000_000, sequence=0xFFFFFFFE),
        Case(_TIMED, "A", True, lock_time=1_700_000_000, sequence=0),
        Case(_TIMED, "A", lock_time=499_999_999, sequence=0),
        Case(_AGED, "A", True, sequence=4194306),
        Case(_AGED, "A", sequence=4194305),
        Case(_AGED, "A", sequence=3),
        Case("multi(2,A,B,C)", "B"),
        Case("multi(2,A,B,C)", "CA", True),
    ],
)
def test_a_witness_exists_exactly_when_the_conditions_hold(case: Case) -> None:
    assert (_satisfy(case) is not None) is case.enough


def test_the_witness_says_which_locks_it_relies_on() -> None:
    early = _satisfy(Case(_TWO_FACTORS, "AB", sequence=20_000))
    assert early is not None
    assert early.needs_older in (None, 12960)
    late = _satisfy(Case(_TWO_FACTORS, "A", sequence=20_000))
    assert late is not None
    assert late.needs_older == 12960
    assert late.witness == (b"", _SIGNATURES["A"])
    dated = _satisfy(Case(_DATED, "A", lock_time=600_000, sequence=0))
    assert dated == Satisfaction((_SIGNATURES["A"],), None, 500_000)


def test_signatures_of_a_multisig_stand_in_the_order_of_its_keys() -> None:
    found = _satisfy(Case("multi(2,A,B,C)", "CA"))
    assert found is not None
    assert found.witness == (b"", _SIGNATURES["A"], _SIGNATURES["C"])


def test_no_more_signatures_are_spent_than_needed_and_the_smallest_are_taken() -> None:
    available = Available(
        {_KEYS["A"]: b"\x30" * 72, _KEYS["B"]: b"\x31" * 70, _KEYS["C"]: b"\x32" * 71}
    )
    found = parse("multi(2,A,B,C)", Context.P2WSH).satisfy(_KEYS, available)
    assert found is not None
    assert found.witness == (b"", b"\x31" * 70, b"\x32" * 71)


def test_a_tapscript_multisig_has_an_element_for_every_key_first_on_top() -> None:
    keys = {name: key[1:] for name, key in _KEYS.items()}
    available = Available({keys["A"]: b"a" * 64, keys["C"]: b"c" * 64})
    found = parse("multi_a(2,A,B,C)", Context.TAPSCRIPT).satisfy(keys, available)
    assert found is not None
    assert found.witness == (b"c" * 64, b"", b"a" * 64)


def test_a_malleable_witness_is_not_built() -> None:
    # Anyone could take the other hash, or drop the signature that is not needed.
    either = f"and_v(v:pk(A),or_d(sha256({_DIGEST.hex()}),hash160({hash160(_PREIMAGE).hex()})))"
    both = {**_KNOWN, hash160(_PREIMAGE): _PREIMAGE}
    assert _satisfy(Case(either, "A", preimages=both)) is None
    assert _satisfy(Case("or_d(pk(A),older(1))", sequence=1)) is None


def test_a_false_preimage_is_refused_not_used() -> None:
    for wrong in (b"\xab" * 32, b"", _PREIMAGE + b"\x00"):
        with pytest.raises(MiniscriptError, match="preimage"):
            _satisfy(Case(_HASHED, "A", preimages={_DIGEST: wrong}))


def test_a_key_without_bytes_is_refused() -> None:
    with pytest.raises(MiniscriptError, match="key Z"):
        parse("pk(Z)", Context.P2WSH).satisfy(_KEYS, Available())
