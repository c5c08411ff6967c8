"""Every satisfaction against Bitcoin Core's engine, in both contexts."""

import random
from collections.abc import Iterable

import pytest

from shared.bitcoin.miniscript import Available, Context, Miniscript, Path, Satisfaction
from shared.bitcoin.transaction import Transaction
from tests.property.shared.bitcoin import spending
from tests.property.shared.bitcoin.miniscript.guarded import Output
from tests.property.shared.bitcoin.miniscript.random_expressions import (
    DIGESTS,
    Composer,
    key_bytes,
)
from tests.property.shared.bitcoin.spending import Locks

CONTEXTS = list(Context)


def _locks(path: Path) -> Locks:
    return Locks(path.older or 0xFFFFFFFE, path.after)


def _signers(path: Path) -> list[str]:
    return [key for group in path.signers for key in group.keys[: group.required]]


def _satisfy(
    output: Output, unsigned: Transaction, keys: Iterable[str], path: Path, locks: Locks
) -> Satisfaction | None:
    available = Available(
        output.signatures(unsigned, keys),
        {one.digest: DIGESTS[one.digest] for one in path.hashes},
        locks.sequence,
        locks.lock_time,
    )
    expression = output.expression
    return expression.satisfy(key_bytes(expression), available)


def _spend_every_path(expression: Miniscript) -> int:
    """Spends by every path and nearly spends by every path; gives the number of paths."""
    output = Output(expression)
    for path in expression.paths:
        unsigned = spending.spend(_locks(path))
        found = _satisfy(output, unsigned, _signers(path), path, _locks(path))
        assert found is not None, (str(expression), path)
        assert output.accepts(unsigned, found.witness), (str(expression), path)
        size = sum(len(one) + (3 if len(one) > 252 else 1) for one in found.witness)
        assert size <= (expression.max_witness_bytes or 0)
        assert len(found.witness) <= (expression.max_stack_elements or 0)
        _refuse_less(output, path, found, unsigned)
    return len(expression.paths)


def _refuse_less(output: Output, path: Path, found: Satisfaction, unsigned: Transaction) -> None:
    """One signature less, and one block or interval less, is refused by the engine."""
    for index, element in enumerate(found.witness):
        if len(element) >= 64:
            less = (*found.witness[:index], b"", *found.witness[index + 1 :])
            assert not output.accepts(unsigned, less), (str(output.expression), path)
    early = []
    if found.needs_older is not None and found.needs_older & 0xFFFF:
        early.append(Locks(found.needs_older - 1, path.after))
    if found.needs_after is not None:
        early.append(Locks(_locks(path).sequence, found.needs_after - 1))
    for locks in early:
        too_soon = spending.spend(locks)
        forced = _satisfy(output, too_soon, _signers(path), path, _locks(path))
        assert forced is not None
        assert not output.accepts(too_soon, forced.witness), (str(output.expression), path)


def _spend_random(context: Context, seeds: Iterable[int]) -> None:
    paths = 0
    for seed in seeds:
        source = random.Random(seed)
        paths += _spend_every_path(Composer(source, context).sane(source.randint(1, 4)))
    assert paths > 0


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_path_of_a_sane_expression_is_accepted_and_nothing_less_is(context: Context) -> None:
    _spend_random(context, range(150))


@pytest.mark.soak
@pytest.mark.parametrize("context", CONTEXTS)
def test_many_more_paths_are_accepted_and_nothing_less_is(context: Context) -> None:
    _spend_random(context, range(1_000, 6_000))
