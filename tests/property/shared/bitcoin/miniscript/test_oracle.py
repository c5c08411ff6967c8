"""Random expressions, sane and insane, against btclib's miniscript."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from btclib_wallet.descriptors import miniscript as oracle

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript import Context, Miniscript, parse
from tests.property.shared.bitcoin.miniscript.random_expressions import Composer, key_bytes

_ORACLES_CONTEXT = {Context.P2WSH: oracle.P2WSH, Context.TAPSCRIPT: oracle.TAPSCRIPT}
_LETTERS = frozenset("BVKWzondumk")
_MALLEABILITY = frozenset("sfe")  # no meaning where the expression is malleable


@dataclass(frozen=True, slots=True)
class _WithKeys:
    made: Miniscript
    keys: dict[str, bytes]

    def script(self) -> bytes:
        return self.made.script(self.keys)


def _random(seeds: Iterable[int]) -> Iterable[tuple[Miniscript, oracle.Miniscript]]:
    for seed in seeds:
        source = random.Random(seed)
        context = source.choice(list(Context))
        made = Composer(source, context, repeats=True).expression(source.randint(1, 6))
        yield made, oracle.parse(str(made), _ORACLES_CONTEXT[context])


def _agree(made: Miniscript, other: oracle.Miniscript) -> None:
    text = str(made)
    assert str(other) == text
    assert parse(text, made.context) == made
    letters = _LETTERS | _MALLEABILITY if made.type.m else _LETTERS
    assert set(str(made.type)) & letters == other.properties & letters, text
    assert made.script(key_bytes(made)) == other.script(), text
    assert made.script_size == other.script_size, text
    assert made.max_ops == other.max_ops, text
    assert made.max_stack_elements == other.max_stack_items, text
    assert made.max_execution_stack == other.max_exec_stack_items, text
    assert made.max_witness_bytes == other.max_witness_size, text
    assert made.sane == (other.is_sane() and other.is_satisfiable), text


def test_text_type_script_bounds_and_verdict_are_the_oracles() -> None:
    verdicts = set()
    for made, other in _random(range(500)):
        _agree(made, other)
        verdicts.add(made.sane)
    assert verdicts == {True, False}


@pytest.mark.soak
def test_many_more_expressions_agree_with_the_oracle() -> None:
    for made, other in _random(range(10_000, 40_000)):
        _agree(made, other)


def test_what_the_oracle_refuses_is_refused() -> None:
    source = random.Random(7)
    refused = 0
    for made, _ in _random(range(2_000, 2_150)):
        text = str(made)
        place = source.choice([at for at, letter in enumerate(text) if letter in "(),:"])
        inserted = source.choice("asvcdjntlu01(),:")
        broken = text[:place] + inserted + text[place + source.randint(0, 1) :]
        refused += _refused(broken, made.context)
    assert refused > 100


def _refused(text: str, context: Context) -> bool:
    """Whether both refuse it; where the oracle reads it, the scripts are the same."""
    try:
        other = oracle.parse(text, _ORACLES_CONTEXT[context])
    except ValueError:
        with pytest.raises(MiniscriptError):
            _parse_with_keys(text, context)
        return True
    assert _parse_with_keys(text, context).script() == other.script()
    return False


def _parse_with_keys(text: str, context: Context) -> _WithKeys:
    made = parse(text, context)
    try:
        return _WithKeys(made, key_bytes(made))
    except ValueError:
        raise MiniscriptError("key", "no hex", "hex") from None
