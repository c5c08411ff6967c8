"""Whatever text comes, it is read or refused with a typed error, quickly and without a trace."""

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.descriptors import parse as parse_descriptor
from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.miniscript import Context
from shared.bitcoin.miniscript import parse as parse_miniscript
from shared.bitcoin.policy import parse as parse_policy
from tests.property.shared.bitcoin.descriptors.random_descriptors import NETWORK, Draw

_PIECES = st.sampled_from(
    [
        *"(){}[]<>,;:/*#'@0123456789abcdefhjlnstuv",
        *("wsh(", "tr(", "sh(", "musig(", "multi(", "thresh(", "pk(", "pkh(", "older(", "after("),
        *("and_v(", "or_i(", "andor(", "and(", "or(", "sha256(", "ab" * 32, "02" + "79be" * 16),
        *("<0;1>", "/*", "2147483648", "é", "\n", "\x00"),
    ]
)
_TEXTS = st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=30).map("".join))


_READERS: list[Callable[[str], object]] = [
    lambda text: parse_miniscript(text, Context.P2WSH),
    lambda text: parse_miniscript(text, Context.TAPSCRIPT),
    parse_policy,
    lambda text: parse_descriptor(text, NETWORK),
    lambda text: parse_descriptor(f"wsh({text})", NETWORK),
    lambda text: parse_descriptor(f"tr({text})", NETWORK),
]


@given(_TEXTS)
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in _READERS:
        try:
            made = read(text)
        except BitcoinError:
            continue
        assert str(made)


@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_a_damaged_descriptor_is_refused_by_its_checksum(seed: int, source: random.Random) -> None:
    text = Draw(seed).descriptor().text
    place = source.randrange(len(text))
    letter = source.choice("0123456789()[],'/*abcdefghxyz#")
    damaged = text[:place] + letter + text[place + 1 :]
    if damaged == text:
        return
    try:
        parse_descriptor(damaged, NETWORK)
    except BitcoinError:
        return
    raise AssertionError(damaged)
