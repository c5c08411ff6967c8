"""What a descriptor's output says of the input that spends it, or of the output that is change."""

from collections.abc import Iterator

from shared.bitcoin.bip32 import KeyOrigin
from shared.bitcoin.descriptors.outputs import DerivedOutput, KeyUse
from shared.bitcoin.psbt.model import TapOrigin, TreeLeaf
from shared.bitcoin.psbt.update import InputDescription, OutputDescription
from shared.bitcoin.taproot import Leaf, Tree


def input_description(output: DerivedOutput) -> InputDescription:
    """Scripts, keys with origins, leaves and MuSig2 participants of the output that is spent."""
    taproot = output.taproot
    if taproot is None:
        return InputDescription(
            redeem_script=output.redeem_script,
            witness_script=output.witness_script,
            derivations=_derivations(output),
        )
    return InputDescription(
        tap_internal_key=taproot.internal_key,
        tap_merkle_root=taproot.merkle_root,
        tap_leaf_scripts={taproot.control_block(leaf): leaf for leaf in taproot.leaves},
        tap_derivations=_tap_derivations(output),
        musig_participants=_participants(output),
    )


def output_description(output: DerivedOutput) -> OutputDescription:
    """What shows a signer that an output is its own."""
    taproot = output.taproot
    if taproot is None:
        return OutputDescription(
            redeem_script=output.redeem_script,
            witness_script=output.witness_script,
            derivations=_derivations(output),
        )
    return OutputDescription(
        tap_internal_key=taproot.internal_key,
        tap_tree=None if taproot.tree is None else tuple(_in_depth(taproot.tree)),
        tap_derivations=_tap_derivations(output),
        musig_participants=_participants(output),
    )


def _derivations(output: DerivedOutput) -> dict[bytes, KeyOrigin]:
    return {use.key.public_key: use.key.origin for use in output.keys}


def _tap_derivations(output: DerivedOutput) -> dict[bytes, TapOrigin]:
    """Every key, and BIP373's participants, in the leaves of the aggregate that they make."""
    origins: dict[bytes, TapOrigin] = {}
    for use in output.keys:
        for participant in use.key.aggregate.participants if use.key.aggregate else ():
            _add(origins, participant.public_key[1:], use.leaf_hashes, participant.origin)
        _add(origins, use.key.public_key[1:], use.leaf_hashes, use.key.origin)
    return origins


def _add(
    origins: dict[bytes, TapOrigin], x_only: bytes, leaves: tuple[bytes, ...], origin: KeyOrigin
) -> None:
    known = origins.get(x_only)
    hashes = leaves if known is None else tuple(dict.fromkeys(known.leaf_hashes + leaves))
    origins[x_only] = TapOrigin(hashes, origin)


def _participants(output: DerivedOutput) -> dict[bytes, tuple[bytes, ...]]:
    return dict(_aggregates(output.keys))


def _aggregates(uses: tuple[KeyUse, ...]) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
    for use in uses:
        made = use.key.aggregate
        if made is not None:
            yield made.plain, tuple(one.public_key for one in made.participants)


def _in_depth(tree: Tree, depth: int = 0) -> Iterator[TreeLeaf]:
    if isinstance(tree, Leaf):
        yield TreeLeaf(depth, tree.version, tree.script)
        return
    for branch in tree:
        yield from _in_depth(branch, depth + 1)
