from typing import Any

import pytest

from models.price.forest import Forest, ForestError

STUMP: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_modes": [b"BRANCH_LEQ", b"LEAF", b"LEAF"],
    "nodes_featureids": [3, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_weights": [7.0, 9.0],
}


def test_ensembles_are_numbered_through_and_keep_their_targets() -> None:
    forest = Forest()
    forest.add(STUMP, 0)
    forest.add(STUMP, 1)
    assert forest.roots == [0, 1]
    assert forest.true_ids == [0, 2]
    assert forest.false_ids == [1, 3]
    assert forest.leaf_targets == [0, 0, 1, 1]
    assert forest.leaf_weights == [7.0, 9.0, 7.0, 9.0]


def test_branches_of_another_kind_are_refused() -> None:
    with pytest.raises(ForestError, match="BRANCH_LT"):
        Forest().add({**STUMP, "nodes_modes": [b"BRANCH_LT", b"LEAF", b"LEAF"]}, 0)


def test_a_tree_without_a_branch_is_refused() -> None:
    lone: dict[str, list[Any]] = {
        "nodes_treeids": [1],
        "nodes_nodeids": [0],
        "nodes_modes": [b"LEAF"],
        "nodes_featureids": [0],
        "nodes_values": [0.0],
        "nodes_truenodeids": [0],
        "nodes_falsenodeids": [0],
        "target_treeids": [1],
        "target_nodeids": [0],
        "target_weights": [1.0],
    }
    with pytest.raises(ForestError, match="tree 1"):
        Forest().add({name: [*STUMP[name], *lone[name]] for name in STUMP}, 0)
