"""A sane expression is satisfied exactly when its conditions hold, in a way nobody can change."""

import random
from collections.abc import Iterator, Sequence

from shared.bitcoin.miniscript import Available, Context, Fragment, Miniscript, Node
from shared.bitcoin.miniscript.node import fold, postorder
from tests.property.shared.bitcoin import spending
from tests.property.shared.bitcoin.miniscript.guarded import Output
from tests.property.shared.bitcoin.miniscript.random_expressions import (
    DIGESTS,
    Composer,
    key_bytes,
)
from tests.property.shared.bitcoin.spending import Locks

_SEQUENCES = (0xFFFFFFFE, 1, 15, 16, 144, 65_535, 1 << 22 | 1, 1 << 22 | 500)
_LOCK_TIMES = (0, 1, 99, 100, 840_000, 499_999_999, 500_000_000, 1_700_000_000)


def _holds(expression: Miniscript, available: Available) -> bool:
    """What the expression says, read as a sentence."""
    keys = key_bytes(expression)

    def rule(node: Node, parts: Sequence[bool]) -> bool:
        signers = sum(keys[name] in available.signatures for name in node.keys)
        match node.fragment:
            case Fragment.MULTI | Fragment.MULTI_A:
                return signers >= node.number
            case Fragment.OLDER:
                return available.meets_older(node.number)
            case Fragment.AFTER:
                return available.meets_after(node.number)
            case Fragment.THRESH:
                return sum(parts) >= node.number
            case Fragment.ANDOR:
                return (parts[0] and parts[1]) or parts[2]
            case Fragment.AND_V | Fragment.AND_B:
                return all(parts)
        known = node.digest in available.preimages
        return any((*parts, signers, known, node.fragment is Fragment.TRUE))

    return fold(postorder(expression.root), rule)


def test_a_sane_expression_is_satisfied_exactly_when_it_holds() -> None:
    outcomes = set()
    for seed in range(250):
        source = random.Random(seed)
        context = source.choice(list(Context))
        expression = Composer(source, context).sane(source.randint(1, 4))
        keys = key_bytes(expression)
        for _ in range(6):
            available = Available(
                {key: b"\x30" * 64 for key in keys.values() if source.random() < 0.6},
                {digest: known for digest, known in DIGESTS.items() if source.random() < 0.6},
                source.choice(_SEQUENCES),
                source.choice(_LOCK_TIMES),
            )
            found = expression.satisfy(keys, available)
            outcome = _holds(expression, available)
            assert (found is not None) is outcome, (str(expression), available)
            outcomes.add(outcome)
    assert outcomes == {True, False}


def _changed(witness: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    """What somebody without a key can make of a witness, one element at a time."""
    for place, element in enumerate(witness):
        for other in (b"", b"\x01", b"\x02", bytes(32), *DIGESTS.values()):
            if other != element:
                yield (*witness[:place], other, *witness[place + 1 :])
        yield (*witness[:place], *witness[place + 1 :])
        yield (*witness[:place], b"", *witness[place:])


def test_nobody_without_a_key_can_change_a_tapscript_witness() -> None:
    # In tapscript consensus itself refuses loose inputs of IF and failed signatures (BIP342).
    tried = 0
    for seed in range(40):
        expression = Composer(random.Random(seed), Context.TAPSCRIPT).sane(3)
        output = Output(expression)
        path = expression.paths[0]
        unsigned = spending.spend(Locks(path.older or 0xFFFFFFFE, path.after))
        signatures = output.signatures(unsigned, set(expression.keys))
        found = expression.satisfy(
            key_bytes(expression),
            Available(signatures, DIGESTS, unsigned.inputs[0].sequence, unsigned.lock_time),
        )
        assert found is not None
        assert output.accepts(unsigned, found.witness)
        for other in _changed(found.witness):
            assert not output.accepts(unsigned, other), (str(expression), found.witness, other)
            tried += 1
    assert tried > 500
