"""Taproot outputs are BIP341's, and a witness is read by its rules."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.bitcoin import address
from shared.bitcoin.errors import KeyMaterialError, ScriptError
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.networks import Network
from shared.bitcoin.taproot import (
    UNSPENDABLE_KEY,
    KeySpend,
    Leaf,
    ScriptSpend,
    TaprootOutput,
    Tree,
    read_spend,
    tweak,
    unspendable_key,
)

KEY = PrivateKey(b"\x11" * 32)
LEAF, OTHER = Leaf(b"\x51"), Leaf(b"\x52")


def tree_of(node: Any) -> Tree | None:
    """The tree as the vectors write it: a leaf's object, or a list of two."""
    if node is None:
        return None
    if isinstance(node, list):
        left, right = tree_of(node[0]), tree_of(node[1])
        assert left is not None
        assert right is not None
        return left, right
    return Leaf(bytes.fromhex(node["script"]), node["leafVersion"])


def leaves_of(tree: Tree | None) -> list[Leaf]:
    """The leaves from left to right, as the vectors number them."""
    if tree is None:
        return []
    return [tree] if isinstance(tree, Leaf) else leaves_of(tree[0]) + leaves_of(tree[1])


def test_outputs_and_control_blocks_are_bip341s(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors" / "bip341_wallet.json").read_text("utf-8"))
    assert len(vectors["scriptPubKey"]) == 7
    for vector in vectors["scriptPubKey"]:
        given, between, expected = (vector[one] for one in ("given", "intermediary", "expected"))
        tree = tree_of(given["scriptTree"])
        output = TaprootOutput(bytes.fromhex(given["internalPubkey"]), tree)
        root = output.merkle_root
        assert (root.hex() if root else None) == between["merkleRoot"]
        assert tweak(output.internal_key, root).hex() == between["tweak"]
        assert output.output_key.hex() == between["tweakedPubkey"]
        assert output.script_pubkey.hex() == expected["scriptPubKey"]
        assert address.encode(output.script_pubkey, Network.MAINNET) == expected["bip350Address"]
        leaves = leaves_of(tree)
        assert [leaf.hash.hex() for leaf in leaves] == between.get("leafHashes", [])
        blocks = [output.control_block(leaf).hex() for leaf in leaves]
        assert blocks == expected.get("scriptPathControlBlocks", [])


def test_the_order_of_two_subtrees_does_not_change_the_output() -> None:
    one = TaprootOutput(KEY.x_only, (LEAF, (OTHER, LEAF)))
    same = TaprootOutput(KEY.x_only, ((LEAF, OTHER), LEAF))
    assert one.output_key == same.output_key
    assert one.output_key != TaprootOutput(KEY.x_only, (LEAF, OTHER)).output_key


def test_a_leaf_that_stands_twice_is_spent_by_its_shortest_path() -> None:
    output = TaprootOutput(KEY.x_only, ((LEAF, OTHER), LEAF))
    assert len(output.control_block(LEAF)) == 33 + 32
    assert len(output.control_block(OTHER)) == 33 + 64
    assert output.leaves[0] == LEAF


def test_a_leaf_that_is_not_in_the_tree_has_no_control_block() -> None:
    with pytest.raises(ScriptError, match="not in the tree"):
        TaprootOutput(KEY.x_only, LEAF).control_block(OTHER)
    with pytest.raises(ScriptError, match="not in the tree"):
        TaprootOutput(KEY.x_only).control_block(LEAF)


def test_a_tree_may_be_128_deep_and_no_deeper() -> None:
    tree: Tree = LEAF
    for _ in range(128):
        tree = (tree, OTHER)
    deepest = TaprootOutput(KEY.x_only, tree).control_block(LEAF)
    assert len(deepest) == 33 + 128 * 32
    with pytest.raises(ScriptError, match="deeper than 128"):
        TaprootOutput(KEY.x_only, (tree, OTHER))


@pytest.mark.parametrize("version", [0x50, 0xC1, -2, 0x100])
def test_a_leaf_version_that_no_control_block_can_carry_is_refused(version: int) -> None:
    with pytest.raises(ScriptError, match="leaf version"):
        Leaf(b"\x51", version)


def test_an_internal_key_that_is_no_point_is_refused() -> None:
    for key in (bytes(31), b"\xff" * 32, bytes(31) + b"\x05"):
        with pytest.raises(KeyMaterialError, match="internal key"):
            TaprootOutput(key)


@pytest.mark.parametrize("byte", range(1, 20))
@pytest.mark.parametrize("tree", [None, LEAF, (LEAF, OTHER)])
def test_the_internal_private_key_becomes_the_output_keys(byte: int, tree: Tree | None) -> None:
    key = PrivateKey(bytes((byte,)) * 32)
    output = TaprootOutput(key.x_only, tree)
    assert output.tweaked_private(key).x_only == output.output_key


def test_another_keys_private_key_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match="internal key"):
        TaprootOutput(KEY.x_only).tweaked_private(PrivateKey(b"\x12" * 32))


def test_an_unspendable_key_is_bip341s_point_plus_the_blinding() -> None:
    assert TaprootOutput(UNSPENDABLE_KEY, LEAF).output_key != UNSPENDABLE_KEY
    blinded = {unspendable_key(bytes(31) + bytes((one,))) for one in range(1, 4)}
    assert len(blinded) == 3
    assert UNSPENDABLE_KEY not in blinded
    with pytest.raises(KeyMaterialError, match="tweak"):
        unspendable_key(b"\xff" * 32)


def test_a_witness_is_a_key_spend_or_a_script_spend() -> None:
    output = TaprootOutput(KEY.x_only, (LEAF, OTHER))
    assert read_spend([bytes(64)]) == KeySpend(bytes(64))
    block = output.control_block(LEAF)
    spend = read_spend([b"item", LEAF.script, block])
    assert spend == ScriptSpend((b"item",), LEAF, block)
    assert isinstance(spend, ScriptSpend)
    assert spend.commits_to(output.output_key)
    assert not spend.commits_to(TaprootOutput(KEY.x_only, LEAF).output_key)
    assert not ScriptSpend((), OTHER, block).commits_to(output.output_key)
    wrong_parity = bytes((block[0] ^ 1,)) + block[1:]
    assert not ScriptSpend((), LEAF, wrong_parity).commits_to(output.output_key)
    no_point = block[:1] + b"\xff" * 32 + block[33:]
    assert not ScriptSpend((), LEAF, no_point).commits_to(output.output_key)


@pytest.mark.parametrize(
    ("witness", "field"),
    [
        ([], "witness"),
        ([bytes(63)], "signature"),
        ([bytes(66)], "signature"),
        ([bytes(64), b"\x50annex"], "annex"),
        ([b"\x51", b"\xc0" + bytes(32), b"\x50"], "annex"),
        ([b"\x51", b"\xc0" + bytes(31)], "control block"),
        ([b"\x51", b"\xc0" + bytes(33)], "control block"),
        ([b"\x51", b""], "control block"),
        ([b"\x51", b"\xc0" + bytes(32 * 130)], "control block"),
        ([b"\x51", b"\xc2" + bytes(32)], "leaf version"),
        ([b"\x51", b"\x01" + bytes(32)], "leaf version"),
    ],
)
def test_a_malformed_witness_an_annex_and_an_unknown_leaf_version_are_refused(
    witness: list[bytes], field: str
) -> None:
    with pytest.raises(ScriptError, match=field):
        read_spend(witness)
