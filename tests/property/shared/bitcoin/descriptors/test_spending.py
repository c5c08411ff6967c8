"""Outputs of random descriptors, spent by every path."""

import random
from collections.abc import Iterable

import pytest

from shared.bitcoin.descriptors import Form, Offered
from tests.property.shared.bitcoin import spending
from tests.property.shared.bitcoin.descriptors.engine import (
    key_signature,
    leaf_signatures,
    spend_every_path,
)
from tests.property.shared.bitcoin.descriptors.random_descriptors import Draw
from tests.property.shared.bitcoin.spending import Locks


def _check(seeds: Iterable[int]) -> None:
    forms = set()
    for seed in seeds:
        descriptor = Draw(seed).descriptor()
        forms.add(descriptor.form)
        spend_every_path(descriptor, seed % 2, random.Random(seed).randrange(1 << 31))
    assert forms == set(Form)


def test_every_path_of_a_descriptor_spends_its_outputs() -> None:
    _check(range(60))


@pytest.mark.soak
def test_many_more_descriptors_spend_by_every_path() -> None:
    _check(range(1_000, 3_000))


def test_a_key_signature_is_preferred_to_a_script() -> None:
    descriptor = Draw(3).taproot()
    output = descriptor.at(5)
    unsigned = spending.spend(Locks())
    everyone = {use.key.public_key for use in output.keys}
    both = Offered(
        key_signature=key_signature(output, unsigned),
        leaf_signatures=leaf_signatures(output, unsigned, everyone),
    )
    spend = output.satisfaction(both)
    assert spend is not None
    assert spend.leaf is None
    assert len(spend.witness) == 1
