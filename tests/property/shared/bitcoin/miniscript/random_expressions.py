"""Random miniscripts: well-typed always, sane when asked for."""

import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import count

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.hashes import hash160, ripemd160, sha256, sha256d
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.miniscript import Base, Context, Fragment, Miniscript, Node

HASH_FUNCTIONS: dict[Fragment, Callable[[bytes], bytes]] = {
    Fragment.SHA256: sha256,
    Fragment.HASH256: sha256d,
    Fragment.RIPEMD160: ripemd160,
    Fragment.HASH160: hash160,
}
PREIMAGES = tuple(bytes([number]) * 32 for number in range(1, 9))
DIGESTS = {
    function(preimage): preimage for preimage in PREIMAGES for function in HASH_FUNCTIONS.values()
}
OLDER = (1, 16, 144, 65_535, 1 << 22 | 1, 1 << 22 | 500)
AFTER = (1, 100, 840_000, 499_999_999, 500_000_000, 1_700_000_000)


@lru_cache(maxsize=2048)
def private_key(number: int) -> PrivateKey:
    """The test key of that number, from 1 on."""
    return PrivateKey(number.to_bytes(32, "big"))


def key_text(number: int, context: Context) -> str:
    """The key in hex, as the context wants it."""
    key = private_key(number)
    return (key.public_key if context is Context.P2WSH else key.x_only).hex()


def key_bytes(expression: Miniscript) -> dict[str, bytes]:
    """Every key of an expression whose keys are hex."""
    return {key: bytes.fromhex(key) for key in expression.keys}


class Composer:
    """Composes expressions from one source of randomness; keys repeat only when told to."""

    def __init__(self, source: random.Random, context: Context, *, repeats: bool = False) -> None:
        self._source = source
        self._context = context
        self._repeats = repeats
        self._keys = count(1)

    def expression(self, depth: int) -> Miniscript:
        """A valid expression, which may be insane."""
        while True:
            self._keys = count(1)
            node = self._compose(Base.B, depth)
            if node is not None:
                return Miniscript(node)

    def sane(self, depth: int) -> Miniscript:
        """A sane expression."""
        while True:
            found = self.expression(depth)
            if found.sane:
                return found

    def _compose(self, base: Base, depth: int) -> Node | None:
        for _ in range(4):
            try:
                return self._attempt(base, depth)
            except MiniscriptError:
                continue
        return None

    def _attempt(self, base: Base, depth: int) -> Node:
        fragment = self._source.choice(_LEAVES[base] if depth <= 0 else _CHOICES[base])
        subs = tuple(self._parts(fragment, base, depth - 1))
        number, keys, digest = 0, 0, b""
        if fragment in (Fragment.PK_K, Fragment.PK_H):
            keys = 1
        elif fragment in (Fragment.MULTI, Fragment.MULTI_A):
            keys = self._source.randint(1, 4)
            number = self._source.randint(1, keys)
        elif fragment is Fragment.THRESH:
            number = self._source.randint(1, len(subs))
        elif fragment is Fragment.OLDER:
            number = self._source.choice(OLDER)
        elif fragment is Fragment.AFTER:
            number = self._source.choice(AFTER)
        elif fragment in HASH_FUNCTIONS:
            digest = HASH_FUNCTIONS[fragment](self._source.choice(PREIMAGES))
        names = tuple(self._key() for _ in range(keys))
        return Node(fragment, self._context, subs, names, number, digest)

    def _key(self) -> str:
        number = next(self._keys)
        if self._repeats and self._source.random() < 0.1:
            number = self._source.randint(1, number)
        return key_text(number, self._context)

    def _parts(self, fragment: Fragment, base: Base, depth: int) -> Iterator[Node]:
        wanted = _PARTS.get(fragment, ())
        if fragment is Fragment.THRESH:
            wanted = (Base.B, *[Base.W] * self._source.randint(0, 3))
        for one in wanted:
            node = self._compose(base if one is None else one, depth)
            if node is None:
                raise MiniscriptError("part", "none found", "a part")
            yield node


B, K, V, W = Base.B, Base.K, Base.V, Base.W
_PARTS: dict[Fragment, tuple[Base | None, ...]] = {
    Fragment.ANDOR: (B, None, None),
    Fragment.AND_V: (V, None),
    Fragment.AND_B: (B, W),
    Fragment.OR_B: (B, W),
    Fragment.OR_C: (B, V),
    Fragment.OR_D: (B, B),
    Fragment.OR_I: (None, None),
    Fragment.WRAP_A: (B,),
    Fragment.WRAP_S: (B,),
    Fragment.WRAP_C: (K,),
    Fragment.WRAP_D: (V,),
    Fragment.WRAP_V: (B,),
    Fragment.WRAP_J: (B,),
    Fragment.WRAP_N: (B,),
}
_HASHES = tuple(HASH_FUNCTIONS)
_PLAIN = (Fragment.FALSE, Fragment.TRUE, Fragment.OLDER, Fragment.AFTER, *_HASHES)
_MULTI = (Fragment.MULTI, Fragment.MULTI_A)
_JOINS = (Fragment.ANDOR, Fragment.AND_V, Fragment.OR_I)
_LEAVES = {
    B: (*_PLAIN, *_MULTI, Fragment.WRAP_C, Fragment.WRAP_C),
    K: (Fragment.PK_K, Fragment.PK_H),
    V: (Fragment.WRAP_V,),
    W: (Fragment.WRAP_A, Fragment.WRAP_S),
}
_CHOICES = {
    B: (
        *_JOINS,
        *_JOINS,
        *(Fragment.AND_B, Fragment.OR_B, Fragment.OR_D, Fragment.THRESH) * 2,
        *(Fragment.WRAP_C, Fragment.WRAP_C, Fragment.WRAP_D, Fragment.WRAP_J, Fragment.WRAP_N),
        *_MULTI,
        Fragment.OLDER,
        Fragment.AFTER,
        Fragment.SHA256,
    ),
    K: (*_JOINS, Fragment.PK_K, Fragment.PK_H, Fragment.PK_K),
    V: (*_JOINS, Fragment.OR_C, *(Fragment.WRAP_V,) * 4),
    W: (Fragment.WRAP_A, Fragment.WRAP_S),
}
