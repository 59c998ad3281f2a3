"""Behaviour clusters: found where they are, named by what they over-represent, kept only where they tell something."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from features.build import FeatureSet, build_features, fit_feature_set
from features.catalog import families_for
from features.clusters import LEAST_LEADS, NAME, cluster_of, family, nearest_to
from features.family import Labels, Moment
from features.path_odds import cross_fitted
from tests.cases import CATEGORIES, CLUSTERS, CONTENT, EXTRA, NOW, START, Case, Row, asking, event, moment
from tests.drawn import crossed_and_whole, drawn_by_lead
from training import clusters
from training.assemble import fit_on
from training.clusters import Clustering, clustering_of
from training.splits import fold_of, lead_hash

LEADS, FOLDS = 800, 5
BLANK = FeatureSet((), EXTRA, {}, CONTENT, CATEGORIES)
ANY = ("/", "/guide", "/pricing", "/demo", "/jobs")
BUYING, READING = ("/pricing", "/demo"), ("/blog/crm/a", "/blog/crm/c")
PAID, MAIL = {"source": "google", "medium": "cpc"}, {"source": "news", "medium": "email"}
PLANTED = [(pages, touch) for pages in (BUYING, READING) for touch in (PAID, MAIL)]
HASHES = lead_hash([f"lead {i}" for i in range(LEADS)], "a salt")


def _case(pages: list[tuple[str, ...]], touches: list[tuple[Row, ...]]) -> Case:
    """Leads with three visits of four pages each; lead i draws from pages[i] and touches[i]."""
    rng = random.Random(0)
    events = []
    for lead, (mine, through) in enumerate(zip(pages, touches, strict=True)):
        for day in (30, 20, 10):
            touch, day = rng.choice(through), day + rng.random()
            events += [event(day - k / 1440, rng.choice(mine), lead=lead, **touch) for k in range(4)]
    events = [e | {"event_id": f"e{i}"} for i, e in enumerate(events)]
    return Case(events, [], [], [START] * len(pages), [(i, NOW) for i in range(len(pages))])


def _planted() -> Case:
    """Four kinds of leads, who see what their kind sees three times of four and come as it comes five times of six."""
    kinds = [PLANTED[i % 4] for i in range(LEADS)]
    return _case([(*p * 3, "/", "/guide") for p, _ in kinds], [(*(t,) * 5, {}) for _, t in kinds])


@pytest.fixture(scope="module")
def planted() -> Moment:
    return moment(_planted(), BLANK)


def _labels(chance: np.ndarray, seed: int = 0) -> Labels:
    drawn = np.random.default_rng(seed).random(len(chance)) < chance
    return Labels(drawn.astype(float), np.ones(len(chance)))


def _judged(m: Moment, labels: Labels, hashes: np.ndarray = HASHES) -> Clustering:
    families = [f for f in families_for(EXTRA) if f.name != NAME]
    feature_set = fit_feature_set(families, EXTRA, CONTENT, CATEGORIES, m, labels)
    return clustering_of(feature_set, m, labels, hashes)


@pytest.fixture(scope="module")
def kept(planted: Moment) -> Clustering:
    """Buyers from ads and readers from mails convert: no single share tells them apart."""
    number = np.arange(LEADS) % 4
    return _judged(planted, _labels(np.where((number == 0) | (number == 3), 0.6, 0.1)))


def _words(name: str) -> set[str]:
    return set(name.replace(" + ", ", ").split(", "))


def test_planted_clusters_are_found_named_and_kept(planted: Moment, kept: Clustering) -> None:
    assert kept.kept
    assert kept.clusters == 4
    assert kept.adjusted_rand is not None
    assert kept.adjusted_rand >= 0.8
    groups = kept.groups()
    wanted = [{*what, how} for what in (("demo", "pricing"), ("blog",)) for how in ("paid", "email")]
    assert sorted((_words(g["name"]) for g in groups), key=wanted.index) == wanted
    found = cluster_of(planted, kept.part)
    for kind, words in enumerate(wanted):
        of_kind = found[np.arange(LEADS) % 4 == kind]
        number = np.bincount(of_kind).argmax()
        assert (of_kind == number).mean() > 0.8
        assert _words(kept.part["names"][number]) == words
        assert (kept.part["rates"][number] > 0.35) == (kind in (0, 3))
    assert sum(g["leads"] for g in groups) == LEADS


def test_what_was_kept_is_told(kept: Clustering) -> None:
    head, *rest = kept.lines()
    assert head.startswith("Behaviour clusters kept.")
    assert "adjusted Rand" in head
    assert len(rest) == 4
    document = json.loads(json.dumps(kept.document(), allow_nan=False))
    assert (document["kept"], document["reason"]) == (True, None)
    assert [set(g) for g in document["groups"]] == [{"name", "leads", "rate"}] * 4


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_leave_clusters_out_and_the_auc_at_one_half(planted: Moment, seed: int) -> None:
    labels = _labels(np.full(LEADS, 0.3), seed)
    found = _judged(planted, labels)
    assert (found.kept, found.reason) == (False, "gain")
    assert "log loss" in found.lines()[0]
    learn, fold = family(found.part).learn, fold_of(HASHES)
    assert learn is not None
    parts = [learn(planted, Labels(labels.label, (fold != f).astype(float))) for f in range(FOLDS)]
    values, label = cross_fitted(family(found.part), planted, parts, fold), labels.label == 1
    above = values[label][:, None] - values[~label]
    auc = (above > 0).mean() + (above == 0).mean() / 2
    error = np.sqrt((LEADS + 1) / (12 * label.sum() * (~label).sum()))
    assert abs(auc - 0.5) < 3 * error


def test_random_labels_give_no_gain_on_the_average(planted: Moment) -> None:
    """What a fold's rows are judged with has seen none of their labels, not even through other rows' values."""
    added = family(CLUSTERS)
    base = fit_feature_set(families_for(EXTRA)[:20], EXTRA, CONTENT, CATEGORIES, planted)
    found = [clusters._gain(base, added, planted, _labels(np.full(LEADS, 0.3), s), HASHES) for s in range(12)]
    assert np.mean([gain / error for gain, error in found]) < 3 / np.sqrt(12)


def test_noise_is_not_stable() -> None:
    noise = moment(_case([ANY] * LEADS, [({},)] * LEADS), BLANK)
    found = _judged(noise, _labels(np.full(LEADS, 0.3)))
    assert (found.kept, found.reason, found.gain) == (False, "stability", None)
    assert found.adjusted_rand is not None
    assert found.adjusted_rand < 0.8
    assert "retrainings" in found.lines()[0]


def test_behaviour_that_never_differs_has_no_clusters() -> None:
    same = moment(_case([("/",)] * LEADS, [({},)] * LEADS), BLANK)
    assert _judged(same, _labels(np.full(LEADS, 0.3))).reason == "stability"


def test_few_leads_have_no_clusters(planted: Moment) -> None:
    few = moment(asking(_planted(), [(i, NOW) for i in range(300)]), BLANK)
    assert _judged(few, _labels(np.full(300, 0.3)), HASHES[:300]).reason == "few"
    assert _judged(planted, _labels(np.full(LEADS, 0.01))).reason == "few"


def test_one_lead_equals_many(planted: Moment, kept: Clustering) -> None:
    together = kept.family.compute(planted, kept.part)
    case = _planted()
    for i in range(0, LEADS, 40):
        alone = moment(asking(case, [(i, NOW)]), BLANK)
        assert kept.family.compute(alone, kept.part).tobytes() == together[i : i + 1].tobytes()


def test_products_are_the_same_bits_for_one_row_and_for_many() -> None:
    rng = np.random.default_rng(0)
    for d, k in ((1, 3), (13, 3), (31, 8), (64, 5)):
        x, centroids = rng.normal(size=(301, d)), rng.normal(size=(k, d))
        together = nearest_to(x, centroids)
        products = np.einsum("ij,kj->ik", x, centroids)
        for i in range(301):
            assert np.einsum("ij,kj->ik", x[i : i + 1], centroids).tobytes() == products[i].tobytes()
            assert nearest_to(x[i : i + 1], centroids)[0] == together[i]


def test_the_order_of_leads_does_not_matter(kept: Clustering) -> None:
    order = np.random.default_rng(3).permutation(LEADS)
    number = np.arange(LEADS) % 4
    labels = _labels(np.where((number == 0) | (number == 3), 0.6, 0.1)).take(order)
    shuffled = moment(asking(_planted(), [(int(i), NOW) for i in order]), BLANK)
    again = _judged(shuffled, labels, HASHES[order])
    assert json.dumps(again.part, sort_keys=True) == json.dumps(kept.part, sort_keys=True)
    assert again.adjusted_rand == kept.adjusted_rand
    assert again.gain == pytest.approx(kept.gain)


def test_a_feature_set_with_clusters_reads_back_and_answers_the_same(planted: Moment, kept: Clustering) -> None:
    feature_set = BLANK.adding(NAME, kept.part)
    again = FeatureSet.from_json(feature_set.to_json())
    assert (again.version, again.columns) == (feature_set.version, (NAME,))
    values = [build_features(planted.leads, planted.journeys, s).values for s in (feature_set, again)]
    assert values[0].tobytes() == values[1].tobytes()
    assert len(np.unique(values[0])) == 4


def test_who_never_visited_has_no_cluster() -> None:
    events = [event(3, None, type="call", lead=1, event_id="a"), event(2, lead=2, event_id="b")]
    known = moment(Case(events, [], [], [START] * 3, [(i, NOW) for i in range(3)]), BLANK)
    assert cluster_of(known, CLUSTERS)[:2].tolist() == [-1, -1]
    values = family({}).compute(known, dict(CLUSTERS) | {"weights": [0.1, 0.2, 0.3]})
    assert np.isnan(values).tolist() == [True, True, False]
    assert np.isnan(family({}).compute(known, {})).all()


def test_small_clusters_say_little_and_the_smallest_nothing(planted: Moment, kept: Clustering) -> None:
    """Everybody of one kind converts: the rate is pulled to the base; with fewer leads than needed it is the base."""
    found = cluster_of(planted, kept.part)
    for size in (LEAST_LEADS - 1, LEAST_LEADS):
        rows = np.sort(np.concatenate([np.flatnonzero(found == 0)[:size], np.flatnonzero(found > 0)]))
        some = moment(asking(_planted(), [(int(i), NOW) for i in rows]), BLANK)
        label = (found[rows] == 0).astype(float)
        learn = kept.family.learn
        assert learn is not None
        part, base = learn(some, Labels(label, np.ones(len(rows)))), label.mean()
        assert part["leads"][0] == size
        if size < LEAST_LEADS:
            assert (part["rates"][0], part["weights"][0]) == (base, 0.0)
        else:
            assert part["rates"][0] == pytest.approx((size + 50 * base) / (size + 50))
            assert part["weights"][0] > 0


def test_labels_of_one_kind_teach_nothing(planted: Moment, kept: Clustering) -> None:
    learn = kept.family.learn
    assert learn is not None
    assert learn(planted, Labels(np.zeros(LEADS), np.ones(LEADS)))["weights"] == [0.0] * 4


def test_kept_clusters_are_a_column_that_no_training_lead_taught_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a dataset to the table; that they are kept is decreed here."""
    monkeypatch.setattr(clusters, "STABLE", -1.0)
    monkeypatch.setattr(clusters, "_gain", lambda *_: (1.0, 0.1))
    dataset, frame = drawn_by_lead(tmp_path / "m")
    feature_set, crossed, found = fit_on(dataset, frame, np.flatnonzero(frame.lead % 4 > 0), None, learn=True)
    assert found.kept
    assert feature_set.columns[-1] == NAME
    ours = crossed.leads[frame.lead]
    values, whole = (v[:, -1] for v in crossed_and_whole(dataset, frame, feature_set, crossed))
    assert np.array_equal(values[~ours], whole[~ours], equal_nan=True)
    assert (values[ours] != whole[ours]).mean() > 0.5
    assert set(whole[~np.isnan(whole)]) <= set(found.part["weights"])


def test_without_labels_or_times_the_reason_says_so() -> None:
    for reason, word in (("turns", "in turns"), ("times", "no times")):
        assert word in Clustering(reason).lines()[0]
        assert Clustering(reason).document()["groups"] == []
