"""Behaviour clusters: found without labels, and kept only where they are stable and tell a model something new.

    stability   found twice, on two resamples of the leads drawn with replacement; all leads are then put into both sets
                of clusters, whose adjusted Rand index (Hubert and Arabie 1985) must reach 0.8: the mean of three times
    number      the most stable of SIZES; labels have no part in it
    gain        held-out log loss of a logistic regression without the clusters minus with them, lead by lead; the
                lower end of its 90 % interval must be above 0

All of it on one training row a lead. Folds are those of cross-validation, by lead; what uses labels is learned inside
the training part of each fold, and there once more without the row's own fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.build import FeatureSet, build_features
from features.channels import GROUPS
from features.clusters import Blocks, behaviour, columns, family, learn_cluster_log_odds, nearest_to, scaled
from features.family import F64, Family, Fitted, Labels, Moment
from features.path_odds import cross_fitted
from training.calibration import Z90, clip, expit
from training.models import Recipe, Rows
from training.splits import FOLDS, I64, by_lead, fold_of

SIZES = (3, 4, 5, 6, 8)
STABLE = 0.8
STARTS, RETRAININGS = 10, 3
WEIGHTS = (1.0, 1.0, 0.5, 0.5)  # of the blocks: what leads look at says who is alike, more than how and how often
LEAST_LEADS, LEAST_CONVERTED, LEAST_DISTINCT = 400, 40, 100
OVER = 1.2  # a share this many times the average is worth a name

_WHY = {
    "times": "the table has no times and so no behaviour",
    "turns": "the leads are judged in turns, where no feature may use labels",
    "few": f"clusters need {LEAST_LEADS} training leads with a visit, {LEAST_CONVERTED} of them converted",
    "stability": f"two retrainings on resampled leads must agree, adjusted Rand {STABLE} or more",
    "gain": "held-out log loss must improve by more than its 90 % interval",
}


@dataclass(frozen=True)
class Clustering:
    """What became of the behaviour clusters.

    reason: why they were left out, a key of `_WHY`; "" = kept. leads: training leads with a visit. clusters,
    adjusted_rand: the most stable number of clusters and its stability. gain, error: the gain in log loss (nats) by lead
    and its standard error. groups: of kept clusters, names, leads and shrunk conversion rate.
    """

    reason: str
    leads: int = 0
    clusters: int | None = None
    adjusted_rand: float | None = None
    gain: float | None = None
    error: float | None = None
    part: Fitted = field(default_factory=dict, repr=False)

    @property
    def kept(self) -> bool:
        return not self.reason

    @property
    def family(self) -> Family:
        """The family over the clusters that were found."""
        return family(self.part)

    def document(self) -> dict[str, Any]:
        """As `train --json` prints it."""
        figures = {n: getattr(self, n) for n in ("leads", "clusters", "adjusted_rand", "gain", "error")}
        why = {"reason": self.reason or None, "why": _WHY.get(self.reason)}
        return {"kept": self.kept, **why, **figures, "groups": self.groups()}

    def groups(self) -> list[dict[str, Any]]:
        """The clusters that were kept, the largest first."""
        if not self.kept:
            return []
        each = zip(self.part["names"], self.part["leads"], self.part["rates"], strict=True)
        return [{"name": name, "leads": leads, "rate": rate} for name, leads, rate in each]

    def lines(self) -> list[str]:
        """For people: the verdict with its figures, then a line for each cluster that was kept."""
        verdict = "kept" if self.kept else f"left out: {_WHY[self.reason]}"
        figures = [] if self.clusters is None else [f"{self.clusters} clusters of {self.leads:,} leads"]
        figures += [] if self.adjusted_rand is None else [f"adjusted Rand {self.adjusted_rand:.2f}"]
        if self.gain is not None:
            figures.append(f"gain in log loss {self.gain:.5f} (standard error {self.error:.5f})")
        head = f"Behaviour clusters {verdict}." + (f" Found: {', '.join(figures)}." if figures else "")
        return [head, *(f"- {g['name']}: {g['leads']:,} leads, {g['rate']:.1%} converted" for g in self.groups())]


def clustering_of(feature_set: FeatureSet, moment: Moment, labels: Labels, hashes: F64) -> Clustering:
    """Find the clusters of the training rows, one a lead, and judge them beside a feature set fitted on these rows.

    hashes: the leads' hashes (n,), which say who is in which fold; the order of rows has no part in it.
    """
    seen = {"types": feature_set.fitted["type_views"]["values"], "topics": feature_set.fitted["topic_views"]["values"]}
    order = np.argsort(hashes, kind="stable")
    who = order[moment.journeys.sessions[order] > 0]
    converted = int(labels.label[who].sum())
    if len(who) < LEAST_LEADS or not LEAST_CONVERTED <= converted <= len(who) - LEAST_CONVERTED:
        return Clustering("few", len(who))
    blocks = _rows(behaviour(moment, seen), who)
    agreed, k = max((stability(blocks, k), k) for k in SIZES)
    if agreed < STABLE:
        return Clustering("stability", len(who), k, agreed)
    found = seen | found_in(blocks, k)
    found["names"] = names_of(found)
    gain, error = _gain(feature_set, family(found), moment, labels, hashes)
    reason = "" if gain > Z90 * error else "gain"
    part = learn_cluster_log_odds(moment, labels, found)
    return Clustering(reason, len(who), k, agreed, gain, error, part)


# -- finding ---------------------------------------------------------------------------------------------------
def found_in(blocks: Blocks, k: int) -> dict[str, Any]:
    """centre, scale and centroids (k, d) of the leads' behaviour, the largest cluster first."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    centre, scale = _centre_and_scale(blocks)
    x = scaled(blocks, centre, scale)
    with threadpool_limits(1):
        model = KMeans(k, n_init=STARTS, random_state=0).fit(x)
    centroids = model.cluster_centers_[np.argsort(-np.bincount(model.labels_, minlength=k), kind="stable")]
    return {"centre": centre.tolist(), "scale": scale.tolist(), "centroids": centroids.tolist()}


def _centre_and_scale(blocks: Blocks) -> tuple[F64, F64]:
    """The average share or amount of each column, (d,), and the spread of its block by weight; 1 where nothing varies."""
    whole = [b.sum(axis=1, keepdims=True) for b in blocks[:3]]
    shares = [b / np.maximum(w, 1.0) for b, w in zip(blocks[:3], whole, strict=True)]
    means = [s.sum(axis=0) / max(int((w > 0).sum()), 1) for s, w in zip(shares, whole, strict=True)]
    centre = np.concatenate([*means, blocks[3].mean(axis=0)])
    plain = scaled(blocks, centre, np.ones(len(centre)))
    at = np.cumsum([b.shape[1] for b in blocks])[:-1]
    parts = zip(np.split(plain, at, axis=1), WEIGHTS, strict=True)
    scale = np.concatenate([np.full(p.shape[1], np.sqrt(p.var(axis=0).sum()) / weight) for p, weight in parts])
    return centre, np.where(scale > 1e-9, scale, 1.0)


def stability(blocks: Blocks, k: int) -> float:
    """The mean adjusted Rand index of clusters found on two resamples; 0 where behaviour differs in too little."""
    if len(np.unique(np.hstack(blocks), axis=0)) < LEAST_DISTINCT:
        return 0.0
    rng = np.random.default_rng(0)
    return float(np.mean([_agreement(blocks, k, rng) for _ in range(RETRAININGS)]))


def _agreement(blocks: Blocks, k: int, rng: np.random.Generator) -> float:
    from sklearn.metrics import adjusted_rand_score

    put, n = [], len(blocks[0])
    for _ in range(2):
        one = found_in(_rows(blocks, rng.integers(0, n, n)), k)
        x = scaled(blocks, np.array(one["centre"]), np.array(one["scale"]))
        put.append(nearest_to(x, np.array(one["centroids"])))
    return float(adjusted_rand_score(*put))


def _rows(blocks: Blocks, rows: I64) -> Blocks:
    types, topics, channels, amounts = blocks
    return types[rows], topics[rows], channels[rows], amounts[rows]


# -- names -----------------------------------------------------------------------------------------------------
def names_of(found: Fitted) -> list[str]:
    """A name for each cluster: the two types or topics and the group of channels it over-represents most."""
    plain = [_name(found, np.array(centroid)) for centroid in found["centroids"]]
    taken: Counter[str] = Counter()
    names = []
    for name in plain:
        taken[name] += 1
        names.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return names


def _name(found: Fitted, centroid: F64) -> str:
    """By (share - average) / sqrt(average), so that neither the rare nor the common always comes first."""
    average, words = np.array(found["centre"]), columns(found)
    above = centroid * np.array(found["scale"])
    contents = len(found["types"]) + len(found["topics"])
    strength = np.where(above >= (OVER - 1) * average, above / np.sqrt(np.maximum(average, 1e-9)), -np.inf)

    def most(start: int, stop: int, limit: int) -> list[str]:
        best = start + np.argsort(-strength[start:stop], kind="stable")[:limit]
        return [words[i].replace("_", " ") for i in best.tolist() if strength[i] > 0]

    told = " + ".join(most(0, contents, 2)), *most(contents, contents + len(GROUPS), 1)
    return ", ".join(word for word in told if word) or "as everybody"


# -- judging ---------------------------------------------------------------------------------------------------
def _gain(feature_set: FeatureSet, added: Family, moment: Moment, labels: Labels, hashes: F64) -> tuple[float, float]:
    """Mean gain in held-out log loss by lead, and its standard error."""
    values = build_features(moment.leads, moment.journeys, feature_set).values
    names = (*feature_set.columns, added.name)
    learning = [(f, names.index(f.name)) for f in feature_set.families if f.learn is not None]
    learning.append((added, len(names) - 1))
    values = np.hstack([values, np.zeros((len(moment), 1))])
    gains, fold = np.zeros(len(moment)), fold_of(hashes)
    for train, held_out in by_lead(hashes):
        out = int(fold[held_out[0]])
        for one, column in learning:
            values[:, column] = _inside(one, moment, labels, fold, out)
        rows = Rows(names, values, labels.label, labels.weight, hashes)
        gains[held_out] = _loss(rows, names[:-1], train, held_out) - _loss(rows, names, train, held_out)
    gain = float(np.average(gains, weights=labels.weight))
    error = float(np.sqrt(np.sum((labels.weight * (gains - gain)) ** 2)) / labels.weight.sum())
    return gain, error


def _inside(one: Family, moment: Moment, labels: Labels, fold: I64, out: int) -> F64:
    """Values that never saw the labels of fold `out`, and of no row those of its own fold."""
    assert one.learn is not None
    parts = [
        one.learn(moment, Labels(labels.label, np.where((fold == out) | (fold == f), 0.0, labels.weight)))
        for f in range(FOLDS)
    ]
    return cross_fitted(one, moment, parts, fold)


def _loss(rows: Rows, names: Sequence[str], train: I64, held_out: I64) -> F64:
    """-log p(label) of the held-out rows, in nats, by a logistic regression on the first columns."""
    values = np.ascontiguousarray(rows.values[:, : len(names)])
    plain = Rows(tuple(names), values, rows.label, rows.weight, rows.hashes)
    raw = Recipe("logistic", {"C": 0.01}).fit(plain.take(train)).raw(values[held_out])
    p = clip(expit(raw))
    return -np.where(rows.label[held_out] == 1, np.log(p), np.log1p(-p))
