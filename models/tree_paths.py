"""How much each group of features moves what boosted trees answer, read off the paths that rows take.

A row's answer is the trees' mean answer plus the steps from node to node on its way to a leaf; each step counts to
the feature that was asked there (Saabas, 2014, "Interpreting random forests"). Steps add up to the answer as the
Shapley values of trees do (Lundberg et al., 2020, Nature Machine Intelligence 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from models.features import Singles

Doubles = npt.NDArray[np.float64]
Names = npt.NDArray[np.object_]


def path_steps(trees: lgb.Booster, features: Singles, groups: Names) -> tuple[dict[str, Doubles], float]:
    """Return each row's steps by group, every one of shape (m,), and the trees' mean answer; both before any link.

    Parameters
    ----------
    features
        Shape (m, n_features), as at the fit.
    groups
        Name of the group of each feature, shape (n_features,).

    Raises
    ------
    ValueError
        If features or groups are not as many as at the fit.
    """
    n_fitted = trees.num_feature()
    if not features.shape[1] == len(groups) == n_fitted:
        raise ValueError(
            f"features and their groups must be {n_fitted}, as at the fit. "
            f"Got {features.shape[1]} and {len(groups)} instead."
        )
    leaf = np.asarray(trees.predict(features, pred_leaf=True, num_threads=1)).reshape(len(features), -1)
    found = {str(name): np.zeros(len(features)) for name in sorted(set(groups))}
    answer = 0.0
    for place, tree in enumerate(trees.dump_model()["tree_info"]):
        mean, _, leaves = _read(tree["tree_structure"], groups)
        answer += mean
        for name in sorted({name for steps in leaves.values() for name in steps}):
            by_leaf = np.array([leaves[number].get(name, 0.0) for number in range(len(leaves))])
            found[name] += by_leaf[leaf[:, place]]
    return found, answer


def _read(node: Mapping[str, Any], groups: Names) -> tuple[float, float, dict[int, dict[str, float]]]:
    """Return the mean answer below a node, the rows of the fit that it rests on, and each leaf's steps from here."""
    if "split_feature" not in node:
        return float(node["leaf_value"]), float(node.get("leaf_count", 1)), {int(node.get("leaf_index", 0)): {}}
    sides = [_read(node[side], groups) for side in ("left_child", "right_child")]
    count = sum(side[1] for side in sides)
    mean = sum(side[0] * side[1] for side in sides) / count
    name = str(groups[node["split_feature"]])
    for side_mean, _, leaves in sides:
        for steps in leaves.values():
            steps[name] = steps.get(name, 0.0) + side_mean - mean
    return mean, count, {**sides[0][2], **sides[1][2]}
