"""What a derived output says of itself: branches, indices, keys, weights, paths."""

import pytest

from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.descriptors import Descriptor, ExtendedKey, Form, Offered, parse
from shared.bitcoin.errors import DescriptorError
from shared.bitcoin.miniscript import Signers
from shared.bitcoin.networks import Network

_MASTERS = [ExtendedPrivateKey.of_seed(bytes([number]) * 16) for number in (1, 2, 3, 4)]
_PATH = KeyPath.parse("48h/1h/0h/2h")
_KEYS = [
    f"[{KeyOrigin(one.fingerprint, _PATH)}]"
    f"{one.derive(_PATH).public.serialise(Network.REGTEST)}/<0;1>/*"
    for one in _MASTERS
]
_DECAYING = f"or_d(multi(2,{_KEYS[0]},{_KEYS[1]}),and_v(v:pkh({_KEYS[2]}),older(144)))"


def _parse(text: str) -> Descriptor:
    return parse(text, Network.REGTEST)


def test_each_branch_and_index_has_an_output_of_its_own() -> None:
    descriptor = _parse(f"wsh({_DECAYING})")
    scripts = {
        descriptor.at(index, branch).script_pubkey for index in range(3) for branch in (0, 1)
    }
    assert len(scripts) == 6
    for index, branch in ((-1, 0), (1 << 31, 0), (0, 2), (0, -1)):
        with pytest.raises(DescriptorError):
            descriptor.at(index, branch)


def test_a_descriptor_without_a_range_has_one_output() -> None:
    key = _MASTERS[0].public.public_key.hex()
    descriptor = _parse(f"wpkh({key})")
    assert not descriptor.is_ranged
    assert descriptor.at(0).keys[0].key.origin.fingerprint == _MASTERS[0].fingerprint
    with pytest.raises(DescriptorError, match="index"):
        descriptor.at(1)


def test_keys_carry_the_whole_path_from_their_master() -> None:
    output = _parse(f"wsh({_DECAYING})").at(7, 1)
    for use, master in zip(output.keys, _MASTERS[:3], strict=True):
        assert use.key.origin == KeyOrigin(master.fingerprint, _PATH + KeyPath((1, 7)))
        assert use.key.public_key == master.derive(use.key.origin.path).private_key.public_key
        assert not use.is_internal


def test_a_key_of_several_leaves_is_listed_once_with_all_of_them() -> None:
    shared = f"{{and_v(v:pk({_KEYS[1]}),older(1)),and_v(v:pk({_KEYS[1]}),after(9))}}"
    output = _parse(f"tr({_KEYS[0]},{shared})").at(0)
    internal, used = output.keys
    assert internal.is_internal
    assert not internal.leaf_hashes
    assert used.leaf_hashes == tuple(one.leaf.hash for one in output.scripts)


def test_the_paths_name_signers_locks_and_leaf() -> None:
    descriptor = _parse(
        f"tr({_KEYS[3]},{{{_DECAYING.replace('multi', 'multi_a')},pk({_KEYS[2]})}})"
    )
    key, both, recovery, single = descriptor.paths
    assert (key.leaf, key.path.signers) == (
        None,
        (Signers(1, (descriptor.key_expressions[0].text,)),),
    )
    assert (both.leaf, both.path.signers[0].required) == (0, 2)
    assert (recovery.leaf, recovery.path.older) == (0, 144)
    assert single.leaf == 1
    assert key.input_weight < single.input_weight < both.input_weight
    assert descriptor.max_input_weight == both.input_weight


def test_a_key_without_a_secret_is_no_path() -> None:
    nums = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
    assert [one.leaf for one in _parse(f"tr({nums},pk({_KEYS[0]}))").paths] == [0]


def test_the_weight_of_a_plain_input_is_the_known_one() -> None:
    assert _parse(f"wpkh({_KEYS[0]})").max_input_weight == 164 + 1 + 1 + 72 + 1 + 33
    assert _parse(f"tr({_KEYS[0]})").max_input_weight == 164 + 1 + 1 + 65


def test_the_canonical_text_is_one_for_all_spellings() -> None:
    one = _parse(f"wsh(c:pk_k({_KEYS[0].replace('h/', chr(39) + '/')}))")
    other = _parse(f"wsh(pk({_KEYS[0]}))")
    assert one == other
    assert one.text == other.text
    assert hash(one) == hash(other)
    assert one != _parse(f"wsh(pk({_KEYS[1]}))")
    assert one != "wsh"


def test_compressed_keys_within_taproot_are_written_x_only() -> None:
    key = _MASTERS[0].public.public_key
    assert _parse(f"tr({key.hex()})").body == f"tr({key[1:].hex()})"


def test_nested_segwit_shows_its_redeem_script() -> None:
    output = _parse(f"sh(wsh({_DECAYING}))").at(0)
    assert output.form is Form.SH_WSH
    assert output.redeem_script == _parse(f"wsh({_DECAYING})").at(0).script_pubkey
    assert output.script_sig == b"\x22" + (output.redeem_script or b"")


def test_nothing_offered_spends_nothing() -> None:
    for text in (f"wpkh({_KEYS[0]})", f"wsh({_DECAYING})", f"tr({_KEYS[0]},pk({_KEYS[1]}))"):
        assert _parse(text).at(0).satisfaction(Offered()) is None


def test_a_parent_is_derived_once_for_each_branch() -> None:
    key = _parse(f"wpkh({_KEYS[0]})").key
    assert isinstance(key, ExtendedKey)
    kept = dict(key._parents)
    assert list(kept) == [0, 1]
    assert len({key.public_key(branch, index) for branch in (0, 1) for index in range(5)}) == 10
    assert all(key._parents[branch] is parent for branch, parent in kept.items())


def test_a_plan_prices_a_spend_before_anyone_signs() -> None:
    output = _parse(
        f"tr({_KEYS[3]},{{{_DECAYING.replace('multi', 'multi_a')},pk({_KEYS[2]})}})"
    ).at(4)
    keys = [use.key.public_key for use in output.keys]
    by_key = output.plan(keys, Offered())
    assert by_key is not None
    assert (by_key.leaf, by_key.input_weight) == (None, 164 + 1 + 1 + 65)
    by_leaf = output.plan(keys[1:3], Offered())
    assert by_leaf is not None
    assert by_leaf.leaf == output.scripts[0].leaf
    assert output.plan(keys[1:2], Offered()) is None
    recovery = output.plan([keys[3]], Offered(sequence=144))
    assert recovery is not None
    assert recovery.leaf == output.scripts[1].leaf
