"""What each feature adds to a prediction of trees: the change of the node's mean along the row's path, summed over trees.

A node's mean is the mean of its leaves' values, weighted by their training rows. Along a path the changes add up to the
leaf's value less the root's mean, so that the parts of all features and the base add up to the prediction exactly.
Source: A. Saabas, "Interpreting random forests" (2014). A table by leaf makes it cheap: a look-up and one sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BLOCK = 32  # rows at once: what a block touches stays in the cache


@dataclass(frozen=True)
class PathTable:
    """For each leaf the features asked on the way to it and what each of them changed, (leaves, depth).

    first: position of each tree's first leaf, (trees,). value: (leaves,). feature: `width` = no further question. base:
    sum of the means of all roots.
    """

    first: I64
    value: F64
    feature: I64
    change: F64
    base: float
    width: int

    @staticmethod
    def of(text: str, width: int) -> PathTable:
        """The table of a LightGBM model text."""
        trees = [_tree(dict(_fields(block))) for block in text.split("\nTree=")[1:]]
        paths = [path for _, leaves, _ in trees for path in leaves]
        depth = max((len(p) for p in paths), default=0)
        feature = np.full((len(paths), depth), width, dtype=np.int64)
        change = np.zeros((len(paths), depth))
        for i, path in enumerate(paths):
            for j, (asked, by) in enumerate(path):
                feature[i, j], change[i, j] = asked, by
        first = np.cumsum([0, *(len(leaves) for _, leaves, _ in trees[:-1])]).astype(np.int64)
        value = np.array([v for _, _, values in trees for v in values])
        return PathTable(first, value, feature, change, float(sum(root for root, _, _ in trees)), width)

    def raw(self, leaf: I64) -> F64:
        """leaf (n, trees): leaf each row falls into -> (n,), added tree by tree as LightGBM does."""
        return self.value.take(leaf + self.first).cumsum(axis=1)[:, -1]

    def contributions(self, leaf: I64) -> F64:
        """leaf (n, trees): leaf each row falls into -> (n, width); the same bits for one row and many."""
        out = np.empty((len(leaf), self.width))
        for start in range(0, len(leaf), BLOCK):
            rows = leaf[start : start + BLOCK]
            at = rows + self.first
            cell = self.feature.take(at, axis=0) + np.arange(len(rows))[:, None, None] * (self.width + 1)
            change = self.change.take(at, axis=0)
            sums = np.bincount(cell.ravel(), change.ravel(), minlength=len(rows) * (self.width + 1))
            out[start : start + BLOCK] = sums.reshape(len(rows), self.width + 1)[:, :-1]
        return out


Path = list[tuple[int, float]]


def _fields(block: str) -> list[tuple[str, str]]:
    lines = block.split("\nend of trees")[0].splitlines()
    return [(name, value) for name, _, value in (line.partition("=") for line in lines) if value]


def _tree(fields: dict[str, str]) -> tuple[float, list[Path], list[float]]:
    """The root's mean, of each leaf the (feature, change) along its path, and the leaves' values."""
    value = [float(v) for v in fields["leaf_value"].split()]
    if len(value) == 1:
        return value[0], [[]], value
    rows = [float(v) for v in fields["leaf_count"].split()]
    asked, left, right = ([int(v) for v in fields[n].split()] for n in ("split_feature", "left_child", "right_child"))
    means: dict[int, tuple[float, float]] = {~i: (v, n) for i, (v, n) in enumerate(zip(value, rows, strict=True))}
    for node in range(len(asked) - 1, -1, -1):  # a split is numbered before those below it
        (a, n), (b, m) = means[left[node]], means[right[node]]
        means[node] = (a + (b - a) * (m / (n + m) if n + m else 0.5), n + m)
    paths: list[Path] = [[] for _ in value]
    waiting: list[tuple[int, Path]] = [(0, [])]
    while waiting:
        node, path = waiting.pop()
        if node < 0:
            paths[~node] = path
            continue
        for child in (left[node], right[node]):
            waiting.append((child, [*path, (asked[node], means[child][0] - means[node][0])]))
    return means[0][0], paths, value
