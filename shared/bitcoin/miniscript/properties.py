"""The type of an expression (BIP379, Type System): correctness, time locks, malleability."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, Flag

from shared.bitcoin.errors import MiniscriptError


class Base(Enum):
    """What an expression does with the stack."""

    B = "base"
    V = "verify"
    K = "key"
    W = "wrapped"


class Lock(Flag):
    """The kinds of time lock that an expression holds."""

    NONE = 0
    OLDER_BLOCKS = 1
    OLDER_TIME = 2
    AFTER_HEIGHT = 4
    AFTER_TIME = 8


NO_LOCK = Lock.NONE
_RELATIVE = Lock.OLDER_BLOCKS | Lock.OLDER_TIME
_ABSOLUTE = Lock.AFTER_HEIGHT | Lock.AFTER_TIME


@dataclass(frozen=True, slots=True)
class Type:
    """The base type and BIP379's one-letter properties.

    z takes no argument, o exactly one; n never needs a zero on top; d can be dissatisfied without
    anyone's help; u leaves an exact 1. s needs a signature to be satisfied, f to be dissatisfied;
    e has one dissatisfaction that nobody can change; m has a satisfaction that nobody can change;
    k mixes no time locks. The last four say nothing where a part has no m.
    """

    base: Base
    z: bool = False
    o: bool = False
    n: bool = False
    d: bool = False
    u: bool = False
    s: bool = False
    f: bool = False
    e: bool = False
    m: bool = True
    k: bool = True
    locks: Lock = NO_LOCK

    def __str__(self) -> str:
        return self.base.name + "".join(
            letter for letter in "zondusfemk" if getattr(self, letter) is True
        )


def conflict(first: Lock, second: Lock) -> bool:
    """Whether both together mix heights and times of the same lock, which no spend satisfies."""
    if not first or not second:
        return False
    return any(
        one & first and other & second
        for one, other in (
            (Lock.OLDER_BLOCKS, Lock.OLDER_TIME),
            (Lock.OLDER_TIME, Lock.OLDER_BLOCKS),
            (Lock.AFTER_HEIGHT, Lock.AFTER_TIME),
            (Lock.AFTER_TIME, Lock.AFTER_HEIGHT),
        )
    )


def _require(fragment: str, given: Sequence[Type], rule: str, *, holds: bool) -> None:
    if not holds:
        kinds = ", ".join(map(str, given))
        raise MiniscriptError("miniscript", f"{fragment} of types {kinds}", rule)


def wrap_alt(x: Type) -> Type:
    """a:X."""
    _require("a:", (x,), "X of type B", holds=x.base is Base.B)
    return Type(Base.W, d=x.d, u=x.u, s=x.s, f=x.f, e=x.e, m=x.m, k=x.k, locks=x.locks)


def wrap_swap(x: Type) -> Type:
    """s:X."""
    _require("s:", (x,), "X of type Bo", holds=x.base is Base.B and x.o)
    return Type(Base.W, d=x.d, u=x.u, s=x.s, f=x.f, e=x.e, m=x.m, k=x.k, locks=x.locks)


def wrap_check(x: Type) -> Type:
    """c:X."""
    _require("c:", (x,), "X of type K", holds=x.base is Base.K)
    return Type(
        Base.B, o=x.o, n=x.n, d=x.d, u=True, s=True, f=x.f, e=x.e, m=x.m, k=x.k, locks=x.locks
    )


def wrap_dup_if(x: Type, *, unit: bool) -> Type:
    """d:X, whose input is an exact 1 where MINIMALIF is consensus (tapscript): `unit`."""
    _require("d:", (x,), "X of type Vz", holds=x.base is Base.V and x.z)
    return Type(Base.B, o=True, n=True, d=True, u=unit, s=x.s, e=True, m=x.m, k=x.k, locks=x.locks)


def wrap_verify(x: Type) -> Type:
    """v:X."""
    _require("v:", (x,), "X of type B", holds=x.base is Base.B)
    return Type(Base.V, z=x.z, o=x.o, n=x.n, s=x.s, f=True, m=x.m, k=x.k, locks=x.locks)


def wrap_nonzero(x: Type) -> Type:
    """j:X."""
    _require("j:", (x,), "X of type Bn", holds=x.base is Base.B and x.n)
    return Type(Base.B, o=x.o, n=True, d=True, u=x.u, s=x.s, e=x.f, m=x.m, k=x.k, locks=x.locks)


def wrap_not_zero(x: Type) -> Type:
    """n:X."""
    _require("n:", (x,), "X of type B", holds=x.base is Base.B)
    return Type(
        Base.B, z=x.z, o=x.o, n=x.n, d=x.d, u=True, s=x.s, f=x.f, e=x.e, m=x.m, k=x.k, locks=x.locks
    )


def _one_argument(x: Type, y: Type) -> bool:
    return (x.z and y.o) or (x.o and y.z)


def and_v(x: Type, y: Type) -> Type:
    """X and then Y."""
    _require(
        "and_v",
        (x, y),
        "X of type V, Y of type B, K, V",
        holds=x.base is Base.V and y.base is not Base.W,
    )
    return Type(
        y.base,
        z=x.z and y.z,
        o=_one_argument(x, y),
        n=x.n or (x.z and y.n),
        u=y.u,
        s=x.s or y.s,
        f=x.s or y.f,
        m=x.m and y.m,
        k=x.k and y.k and not conflict(x.locks, y.locks),
        locks=x.locks | y.locks,
    )


def and_b(x: Type, y: Type) -> Type:
    """X and Y, both evaluated."""
    _require(
        "and_b", (x, y), "X of type B, Y of type W", holds=x.base is Base.B and y.base is Base.W
    )
    return Type(
        Base.B,
        z=x.z and y.z,
        o=_one_argument(x, y),
        n=x.n or (x.z and y.n),
        d=x.d and y.d,
        u=True,
        s=x.s or y.s,
        f=(x.f and y.f) or (x.s and x.f) or (y.s and y.f),
        e=x.e and y.e and x.s and y.s,
        m=x.m and y.m,
        k=x.k and y.k and not conflict(x.locks, y.locks),
        locks=x.locks | y.locks,
    )


def or_b(x: Type, z: Type) -> Type:
    """X or Z, both evaluated."""
    _require(
        "or_b",
        (x, z),
        "X of type Bd, Z of type Wd",
        holds=x.base is Base.B and x.d and z.base is Base.W and z.d,
    )
    return Type(
        Base.B,
        z=x.z and z.z,
        o=_one_argument(x, z),
        d=True,
        u=True,
        s=x.s and z.s,
        e=True,
        m=x.m and z.m and x.e and z.e and (x.s or z.s),
        k=x.k and z.k,
        locks=x.locks | z.locks,
    )


def _guarded(x: Type, z: Type) -> bool:
    """Nobody else can turn a satisfaction of X into one of Z or back."""
    return x.m and z.m and x.e and (x.s or z.s)


def or_c(x: Type, z: Type) -> Type:
    """X or else Z, which verifies."""
    _require(
        "or_c",
        (x, z),
        "X of type Bdu, Z of type V",
        holds=x.base is Base.B and x.d and x.u and z.base is Base.V,
    )
    return Type(
        Base.V,
        z=x.z and z.z,
        o=x.o and z.z,
        s=x.s and z.s,
        f=True,
        m=_guarded(x, z),
        k=x.k and z.k,
        locks=x.locks | z.locks,
    )


def or_d(x: Type, z: Type) -> Type:
    """X or else Z."""
    _require(
        "or_d",
        (x, z),
        "X of type Bdu, Z of type B",
        holds=x.base is Base.B and x.d and x.u and z.base is Base.B,
    )
    return Type(
        Base.B,
        z=x.z and z.z,
        o=x.o and z.z,
        d=z.d,
        u=z.u,
        s=x.s and z.s,
        f=z.f,
        e=z.e,
        m=_guarded(x, z),
        k=x.k and z.k,
        locks=x.locks | z.locks,
    )


def or_i(x: Type, z: Type) -> Type:
    """X or Z, as the witness chooses."""
    _require(
        "or_i",
        (x, z),
        "X and Z both of type B, K or V",
        holds=x.base is z.base and x.base is not Base.W,
    )
    return Type(
        x.base,
        o=x.z and z.z,
        d=x.d or z.d,
        u=x.u and z.u,
        s=x.s and z.s,
        f=x.f and z.f,
        e=(x.e and z.f) or (z.e and x.f),
        m=x.m and z.m and (x.s or z.s),
        k=x.k and z.k,
        locks=x.locks | z.locks,
    )


def andor(x: Type, y: Type, z: Type) -> Type:
    """X and Y, or else Z."""
    _require(
        "andor",
        (x, y, z),
        "X of type Bdu, Y and Z both of type B, K or V",
        holds=x.base is Base.B and x.d and x.u and y.base is z.base and y.base is not Base.W,
    )
    return Type(
        y.base,
        z=x.z and y.z and z.z,
        o=(x.z and y.o and z.o) or (x.o and y.z and z.z),
        d=z.d,
        u=y.u and z.u,
        s=z.s and (x.s or y.s),
        f=z.f and (x.s or y.f),
        e=z.e and (x.s or y.f),
        m=x.m and y.m and z.m and x.e and (x.s or y.s or z.s),
        k=x.k and y.k and z.k and not conflict(x.locks, y.locks),
        locks=x.locks | y.locks | z.locks,
    )


def thresh(required: int, subs: Sequence[Type]) -> Type:
    """`required` of the sub-expressions."""
    fits = all(
        one.base is (Base.W if index else Base.B) and one.d and one.u
        for index, one in enumerate(subs)
    )
    _require("thresh", subs, "the first of type Bdu, the others Wdu", holds=fits)
    unsigned = sum(not one.s for one in subs)
    locks, unmixed = NO_LOCK, True
    for one in subs:
        unmixed = unmixed and one.k and (required == 1 or not conflict(locks, one.locks))
        locks |= one.locks
    zero_args = sum(one.z for one in subs)
    return Type(
        Base.B,
        z=zero_args == len(subs),
        o=zero_args == len(subs) - 1 and any(one.o for one in subs),
        d=True,
        u=True,
        s=unsigned < required,
        e=unsigned == 0,
        m=all(one.m and one.e for one in subs) and unsigned <= required,
        k=unmixed,
        locks=locks,
    )
