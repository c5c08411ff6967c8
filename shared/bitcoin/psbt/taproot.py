"""Whether a PSBT's taproot fields are those its output commits to (BIP341)."""

from functools import lru_cache
from typing import Final

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.keys import tweaked_x_only
from shared.bitcoin.psbt.model import PsbtInput, PsbtOutput, TreeLeaf
from shared.bitcoin.script import ScriptKind, classify
from shared.bitcoin.taproot import Leaf, ScriptSpend, branch_hash, tweak

_KEPT: Final = 1_024


def check_input(one: PsbtInput, program: bytes, at: int) -> None:
    """Refuse an internal key, merkle root or leaf that the output key does not commit to."""
    internal_key, output_key = one.tap_internal_key, program[2:]
    if internal_key is not None and not _is_output(internal_key, one.tap_merkle_root, output_key):
        raise PsbtError(
            f"inputs[{at}].PSBT_IN_TAP_INTERNAL_KEY",
            "another output's, or the merkle root is",
            "the key and root the output commits to",
        )
    for control, leaf in one.tap_leaf_scripts.items():
        if not _is_leaf(leaf, control, output_key):
            raise PsbtError(
                f"inputs[{at}].PSBT_IN_TAP_LEAF_SCRIPT({control[:16].hex()}…)",
                "another output's",
                "a leaf and control block the output commits to",
            )


def check_output(one: PsbtOutput, at: int) -> None:
    """Refuse an internal key and tree that are not the output's."""
    if one.tap_internal_key is None:
        return
    is_taproot = classify(one.script_pubkey) is ScriptKind.P2TR
    root = merkle_root(one.tap_tree or ())
    if not is_taproot or not _is_output(one.tap_internal_key, root, one.script_pubkey[2:]):
        raise PsbtError(
            f"outputs[{at}].PSBT_OUT_TAP_INTERNAL_KEY",
            "another output's, or the tree is",
            "the key and tree the output commits to",
        )


def merkle_root(tree: tuple[TreeLeaf, ...]) -> bytes | None:
    """The root of a whole tree in depth-first order (BIP371); None for no tree."""
    branches: list[tuple[int, bytes]] = []
    for leaf in tree:
        depth, node = leaf.depth, Leaf(leaf.script, leaf.version).hash
        while branches and branches[-1][0] == depth:
            node = branch_hash(branches.pop()[1], node)
            depth -= 1
        branches.append((depth, node))
    return branches[0][1] if branches else None


# Every role asks this of the same input: the point arithmetic is done once in a process.
@lru_cache(maxsize=_KEPT)
def _is_output(internal_key: bytes, root: bytes | None, output_key: bytes) -> bool:
    return tweaked_x_only(internal_key, tweak(internal_key, root))[0] == output_key


@lru_cache(maxsize=_KEPT)
def _is_leaf(leaf: Leaf, control_block: bytes, output_key: bytes) -> bool:
    return ScriptSpend((), leaf, control_block).commits_to(output_key)
