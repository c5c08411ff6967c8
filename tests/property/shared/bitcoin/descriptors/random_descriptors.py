"""Random descriptors over a few master keys, whose private keys the tests hold."""

import random
import re
from functools import lru_cache

from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.descriptors import Descriptor, parse
from shared.bitcoin.hashes import sha256
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.networks import Network

NETWORK = Network.REGTEST
PREIMAGE = b"\x05" * 32
MASTERS = tuple(ExtendedPrivateKey.of_seed(bytes([number]) * 32) for number in range(1, 9))
_BY_FINGERPRINT = {one.fingerprint: one for one in MASTERS}


@lru_cache(maxsize=256)
def account(number: int, purpose: int = 48) -> str:
    """The extended public key of a master's account with its origin, as text."""
    path = KeyPath.parse(f"{purpose}h/1h/{number % 3}h")
    master = MASTERS[number % len(MASTERS)]
    key = master.derive(path).public.serialise(NETWORK)
    return f"[{KeyOrigin(master.fingerprint, path)}]{key}"


def private_key_of(origin: KeyOrigin) -> PrivateKey:
    """The private key that the origin names."""
    return _BY_FINGERPRINT[origin.fingerprint].derive(origin.path).private_key


class Draw:
    """Draws descriptors from one source of randomness; libwally reads those not `deep`."""

    def __init__(self, seed: int, *, deep: bool = True) -> None:
        self._source = random.Random(seed)
        self._middles = ("", "/7", "/0/2147483647") if deep else ("", "/7")
        self._used = 0

    def descriptor(self) -> Descriptor:
        """Any form."""
        draw = self._source.choice(
            (self._single, self._witness_script, self._witness_script, self._taproot)
        )
        return parse(draw(), NETWORK)

    def witness_script(self) -> Descriptor:
        """A wsh() one."""
        return parse(f"wsh({self._conditions('multi', 'sortedmulti')})", NETWORK)

    def taproot(self) -> Descriptor:
        """A tr() one."""
        return parse(self._taproot(), NETWORK)

    def _key(self) -> str:
        """A key that this descriptor has not used yet."""
        self._used += 1
        middle = self._source.choice(self._middles)
        return f"{account(self._used)}{middle}/<{2 * self._used};{2 * self._used + 1}>/*"

    def _keys(self, most: int = 4) -> str:
        return ",".join(self._key() for _ in range(self._source.randint(2, most)))

    def _single(self) -> str:
        form = self._source.choice(("pkh({})", "wpkh({})", "sh(wpkh({}))", "tr({})"))
        return form.format(self._key())

    def _witness_script(self) -> str:
        form = self._source.choice(("wsh({})", "sh(wsh({}))"))
        return form.format(self._conditions("multi", "sortedmulti"))

    def _conditions(self, multi: str, sorted_multi: str) -> str:
        older = self._source.choice((1, 144, 65_535, 4_194_305))
        after = self._source.choice((1, 800_000, 1_700_000_000))
        digest = sha256(PREIMAGE).hex()
        draws = (
            lambda: f"pk({self._key()})",
            lambda: f"{multi}(2,{self._keys()})",
            lambda: f"{sorted_multi}(2,{self._keys()})",
            lambda: f"or_d({multi}(2,{self._keys()}),and_v(v:pkh({self._key()}),older({older})))",
            lambda: (
                f"andor(pk({self._key()}),sha256({digest}),"
                f"and_v(v:pk({self._key()}),after({after})))"
            ),
            lambda: f"thresh(2,pk({self._key()}),s:pk({self._key()}),sln:older({older}))",
            lambda: f"and_v(v:{multi}(2,{self._keys()}),after({after}))",
        )
        return self._source.choice(draws)()

    def _taproot(self) -> str:
        internal = self._key()
        if self._source.random() < 0.3:
            internal = f"musig({account(11)},{account(12)})/<0;1>/*"
        return f"tr({internal},{self._tree(3)})"

    def _tree(self, depth: int) -> str:
        if depth == 0 or self._source.random() < 0.4:
            return self._conditions("multi_a", "sortedmulti_a")
        return f"{{{self._tree(depth - 1)},{self._tree(depth - 1)}}}"


def of_branch(descriptor: Descriptor, branch: int) -> str:
    """The text of one of the descriptors that a multipath one stands for, without checksum."""

    def chosen(match: re.Match[str]) -> str:
        return match.group(1).split(";")[branch]

    return re.sub(r"<([0-9;]+)>", chosen, descriptor.body)
