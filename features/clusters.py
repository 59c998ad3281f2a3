"""Behaviour clusters: leads who looked at the same things and came the same way, and how often such leads convert.

Training finds the clusters (training/clusters.py) and hands them over as plain JSON; here a lead gets the nearest one.
Four blocks describe behaviour: views by content type, views by topic, sessions by group of channels, and how much
there was of it. Shares of few views are pulled to the average. A cluster's conversion rate is shrunk towards the base
rate as the steps of a path are; a cluster of fewer than LEAST_LEADS leads says nothing. Training rows must be computed
with parts that never saw their lead: `features.path_odds.cross_fitted`.
"""

from __future__ import annotations

import numpy as np

from features.arrays import F64, I64
from features.channels import GROUPS
from features.family import Family, Fitted, Labels, Moment
from features.path import views_by
from features.path_odds import against, base_rate, shrunk_rate

NAME = "cluster_log_odds"
PULL = 5.0
LEAST_LEADS = 50
Blocks = tuple[F64, F64, F64, F64]


def behaviour(m: Moment, clusters: Fitted) -> Blocks:
    """Views of `types`, views of `topics`, sessions by group of channels, and log1p of sessions and page views.

    Four arrays (n, ...); 0 for none.
    """
    j, v, pages = m.journeys, m.journeys.vocabulary, m.journeys.pages
    return (
        views_by(pages.known[1], pages.types, len(m), v.types, tuple(clusters["types"])),
        views_by(*pages.topics, len(m), v.topics, tuple(clusters["topics"])),
        j.sessions_by_group,
        np.log1p(np.column_stack([j.sessions, j.count(j.views)])),
    )


def scaled(blocks: Blocks, centre: F64, scale: F64) -> F64:
    """(n, d), C order: the distance of each share and amount from its average, in units of its block.

    A share of n views counts n / (n + PULL): what a single view says is mostly chance.
    """
    parts, at = [], 0
    for counts in blocks[:3]:
        whole, average = counts.sum(axis=1, keepdims=True), centre[at : at + counts.shape[1]]
        parts.append((counts - whole * average) / (whole + PULL))
        at += counts.shape[1]
    x = np.hstack([*parts, blocks[3] - centre[at:]])
    x /= scale
    return x


def nearest_to(x: F64, centroids: F64) -> I64:
    """The nearest centroid (k, d) of each row (n, d); of two equally near ones the first."""
    # |x - c|^2 without |x|^2; einsum adds in one order for any number of rows, `@` does not.
    distance = (centroids**2).sum(axis=1) - 2.0 * np.einsum("ij,kj->ik", x, centroids)
    return np.asarray(distance.argmin(axis=1), dtype=np.int64)


def cluster_of(m: Moment, clusters: Fitted) -> I64:
    """The number of each lead's cluster; -1 without any visit."""
    centre, scale, centroids = (np.array(clusters[name]) for name in ("centre", "scale", "centroids"))
    number = nearest_to(scaled(behaviour(m, clusters), centre, scale), centroids)
    return np.where(m.journeys.sessions > 0, number, -1)


def cluster_log_odds(m: Moment, fitted: Fitted) -> F64:
    """How much the lead's cluster raises the log-odds of a conversion; NaN without a visit or without clusters."""
    if not fitted.get("weights"):
        return np.full(len(m), np.nan)
    return np.append(fitted["weights"], np.nan)[cluster_of(m, fitted)]


def learn_cluster_log_odds(m: Moment, labels: Labels, clusters: Fitted) -> Fitted:
    """The clusters with their leads, shrunk conversion rates and weights; of leads with a visit."""
    if not clusters:
        return {}
    cluster = cluster_of(m, clusters)
    rows, k = np.flatnonzero(cluster >= 0), len(clusters["centroids"])
    number, known = cluster[rows], labels.take(rows)
    leads = np.bincount(number, minlength=k)
    base = base_rate(known)
    rate, weight = np.full(k, base), np.zeros(k)
    if 0 < base < 1:
        whole = np.bincount(number, weights=known.weight, minlength=k)
        won = np.bincount(number, weights=known.weight * known.label, minlength=k)
        rate = np.where(leads >= LEAST_LEADS, shrunk_rate(won, whole, base), base)
        weight = np.where(leads >= LEAST_LEADS, against(rate, base), 0.0)
    return dict(clusters) | {"leads": leads.tolist(), "rates": rate.tolist(), "weights": weight.tolist()}


def family(clusters: Fitted) -> Family:
    """The family over these clusters: types, topics, centre (d,), scale (d,), centroids (k, d), names (k). {} = none."""
    return Family(
        NAME, "path", "log-odds", "", "no visit",
        "The behaviour of similar leads speaks for a deal by {value}",
        "Das Verhalten ähnlicher Leads spricht mit {value} für einen Abschluss",
        "No visit on record", "Kein Besuch bekannt",
        cluster_log_odds, learn=lambda m, labels: learn_cluster_log_odds(m, labels, clusters),
    )  # fmt: skip


def columns(clusters: Fitted) -> tuple[str, ...]:
    """What the d numbers of a profile are shares or amounts of, in order."""
    return (*clusters["types"], *clusters["topics"], *GROUPS, "sessions", "page views")


FAMILIES: tuple[Family, ...] = (family({}),)
