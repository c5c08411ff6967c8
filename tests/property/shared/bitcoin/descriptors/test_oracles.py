"""Random descriptors against btclib and libwally: scripts, origins, checksums."""

from collections.abc import Iterable, Mapping

import pytest
import wallycore
from btclib_wallet import descriptors as oracle
from btclib_wallet.bip32 import BIP32KeyOrigin

from shared.bitcoin.descriptors import DerivedOutput, Descriptor, Form, parse
from tests.property.shared.bitcoin.descriptors.random_descriptors import NETWORK, Draw, of_branch

_PLACES = ((0, 0), (1, 1), (1, 2_147_483_647))


def _agree_with_btclib(descriptor: Descriptor) -> None:
    assert parse(descriptor.text, NETWORK) == descriptor
    assert parse(descriptor.body, NETWORK).text == descriptor.text
    assert oracle.checksum(descriptor.body) == descriptor.text[-8:]
    for branch, index in _PLACES:
        text = of_branch(descriptor, branch)
        other = oracle.parse(text, "regtest")
        output = descriptor.at(index, branch)
        assert output.script_pubkey == other.script_pub_key(index).script, text
        known = other.provider(index)
        scripts = {one for one in (output.witness_script, output.redeem_script) if one is not None}
        assert scripts == set(known.scripts), text
        _same_origins(output, known.keys)


def _same_origins(output: DerivedOutput, known: Mapping[bytes, BIP32KeyOrigin | None]) -> None:
    origins = {
        key[-32:]: (origin.master_fingerprint, tuple(origin.der_path))
        for key, origin in known.items()
        if origin is not None
    }
    for use in output.keys:
        for one in use.key.aggregate.participants if use.key.aggregate else (use.key,):
            expected = one.origin.fingerprint, one.origin.path.indices
            assert origins[one.public_key[1:]] == expected


def _check(seeds: Iterable[int]) -> None:
    forms = set()
    for seed in seeds:
        descriptor = Draw(seed).descriptor()
        _agree_with_btclib(descriptor)
        forms.add(descriptor.form)
    assert forms == set(Form)


def test_scripts_and_checksums_are_the_oracles() -> None:
    _check(range(40))


@pytest.mark.soak
def test_many_more_scripts_are_the_oracles() -> None:
    _check(range(1_000, 3_000))


def test_witness_scripts_are_libwallys() -> None:
    for seed in range(60):
        descriptor = Draw(seed, deep=False).witness_script()
        parsed = wallycore.descriptor_parse(descriptor.text, None, wallycore.WALLY_NETWORK_NONE, 0)
        for branch in range(descriptor.branches):
            made = wallycore.descriptor_to_script(parsed, 0, 0, 0, branch, seed, 0)
            assert bytes(made) == descriptor.at(seed, branch).script_pubkey
