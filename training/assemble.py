"""From a dataset to the rows a model learns from and is judged on.

Three walks over the dataset, each group by group and bounded in memory: which snapshots there are, what the feature
set is fitted on, and the features of every row. Points and slices are computed beside the features, on the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import yaml
from numpy.typing import NDArray

from data import packaged
from data.dataset import Dataset, People, joined
from data.errors import InputError, SettingsError
from data.records import NULL_TIME, Coded, Columns, take
from features.arrays import differs, run_ends
from features.beside import Beside
from features.build import FeatureSet, build_features, fit_feature_set, moment_at
from features.catalog import CONTEXT, families_for
from features.clusters import NAME as CLUSTERS
from features.content import ContentMap
from features.encode import coded
from features.family import Family, Fitted, Labels, Moment
from features.path_odds import cross_fitted
from training.bundle import Bundle
from training.clusters import Clustering, clustering_of
from training.rules import Rules, score_points
from training.sampling import thinned
from training.slices import Collector, slices_at
from training.snapshots import Policy, Snapshots, conversions_of, snapshots_of
from training.splits import FOLDS, fold_of, lead_hash

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

CHUNK = 20_000
FIT_ROWS = 20_000
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Question:
    """What is asked of a dataset: the target's name, the snapshot policy and the moment of asking.

    content: the map that names the contents of `exclude_if_seen`; not needed where that is empty.
    """

    target: str
    policy: Policy
    now: int
    salt: str
    max_snapshots: int
    content: ContentMap | None = None


@dataclass(frozen=True)
class Frame:
    """One row per snapshot, (n,) throughout. `lead` numbers leads across the dataset; `label` NaN is censored.

    hashes: the lead's hash under the judging salt. weight: inverse of the sampling rate. source_row: for tables
    without times. won_values: minor units of standing conversions, with hash and number of their
    lead and their time. left_out: leads that
    are not looked at, by reason. converted: leads with a standing conversion, looked at or not. sampled_out: rows left
    out by sampling.
    """

    lead: I64
    as_of: I64
    label: F64
    cancelled: NDArray[np.bool_]
    hashes: F64
    weight: F64
    source_row: I64
    first_look: NDArray[np.bool_]
    won_values: F64
    won_hashes: F64
    won_lead: I64
    won_at: I64
    left_out: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    converted: int = field(default=0, kw_only=True)
    sampled_out: int = field(default=0, kw_only=True)

    def __len__(self) -> int:
        return len(self.lead)

    def take(self, rows: I64) -> Frame:
        """Some of the rows, ascending."""
        columns = ("lead", "as_of", "label", "cancelled", "hashes", "weight", "source_row", "first_look")
        return replace(self, **{c: getattr(self, c)[rows] for c in columns})

    def conversions(self, rows: I64) -> int:
        """Converted leads among some rows."""
        return len(np.unique(self.lead[rows][self.label[rows] == 1]))


@dataclass(frozen=True)
class Table:
    """What is known of every row of a frame: features (n, k), points, slices, and the champion's probability.

    comparators: the scores a company already has, as they were known at each row; NaN = none.
    """

    feature_set: FeatureSet
    values: F64
    points: I64
    slices: dict[str, Coded]
    champion: tuple[F64, F64] | None
    comparators: dict[str, F64] = field(default_factory=dict)


# -- first walk: snapshots -------------------------------------------------------------------------------------
def frame_of(dataset: Dataset, question: Question) -> Frame:
    """All snapshots of a dataset, or one row per lead where it has no times.

    Raises
    ------
    InputError
        where there is no lead, or the answers are all the same and a longer history would not change that.
    """
    frame = looks_of(dataset, question)
    _refuse_one_class(frame, dataset, question)
    # A table's declared split is of all its rows.
    return _sampled(frame, question.max_snapshots) if dataset.info.has_times else frame


def looks_of(dataset: Dataset, question: Question) -> Frame:
    """All snapshots, whatever their labels; a dataset without leads is an InputError."""
    parts, offset, converted, left_out = [], 0, 0, Counter[str]()
    for people in dataset.people():
        columns, won, out = _part(people, question, offset, dataset.info.has_times)
        parts.append(columns)
        offset, converted = offset + len(people), converted + won
        left_out.update(out)
    if not offset:
        raise InputError.of(
            where=dataset.place, expected="leads", got="none", remedy="Import leads first: leadlift import."
        )
    frame = Frame(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return replace(frame, left_out=dict(left_out), converted=converted)


def _part(
    people: People, question: Question, offset: int, has_times: bool
) -> tuple[tuple[NDArray[np.generic], ...], int, Mapping[str, int]]:
    """The columns of a group's rows, its converted leads, and who was left out."""
    hashes = lead_hash(people.lead_ids, question.salt)
    n = len(people)
    if has_times:
        excluded = excluded_events(people.events, question)
        snaps = snapshots_of(people, question.policy, question.target, question.now, excluded)
        won = conversions_of(people.outcomes, question.target, question.now)
        stands = won.cancelled_at == NULL_TIME
        converted, stands = len(np.unique(won.lead[stands])), stands & ~np.isnan(won.value)
        values, owners, at = won.value[stands], won.lead[stands], won.at[stands]
    else:
        every = np.arange(n, dtype=np.int64)
        snaps = Snapshots(every, np.zeros(n, dtype=np.int64), people.labels, np.zeros(n, dtype=np.bool_))
        values, owners, converted = np.zeros(0), np.zeros(0, dtype=np.int64), int((people.labels == 1).sum())
        at = owners
    columns = (
        snaps.lead + offset, snaps.as_of, snaps.label, snaps.cancelled, hashes[snaps.lead], np.ones(len(snaps)),
        people.source_row[snaps.lead], differs(snaps.lead), values, hashes[owners],
        owners + offset, at,
    )  # fmt: skip
    return columns, converted, snaps.left_out


def content_map(dataset: Dataset) -> ContentMap:
    """The dataset's content map, else the packaged one."""
    return ContentMap.of(yaml.safe_load(dataset.content_text() or packaged.content_text()))


def excluded_events(events: Columns, question: Question) -> Mask | None:
    """Which events are of a content of `exclude_if_seen`: by their own content_id, else by their URL; None = no such.

    Raises
    ------
    SettingsError
        for an id that the content map does not make.
    """
    ids, content = question.policy.exclude_if_seen, question.content
    if not ids or content is None:
        return None
    for name in ids:
        if not any(rule.named(name) for rule in content.rules):
            raise SettingsError(
                f"[snapshots] exclude_if_seen: expected ids of the content map, got {name}. "
                "Correct it, or add that content to the map."
            )
    by_id, by_url = coded(events["content_id"]), coded(events["url"])
    of_id = by_id.recode(dict.fromkeys(ids, 1), 0) == 1
    of_url = by_url.recode({u: 1 for u in by_url.values if content.content(u).content_id in ids}, 0) == 1
    found: Mask = np.where(by_id.known(), of_id, of_url)
    return found


def _refuse_one_class(frame: Frame, dataset: Dataset, question: Question) -> None:
    """Where some lead converted and only the answers are not final yet, the history is too short: another question."""
    known = frame.label[~np.isnan(frame.label)]
    if len(known) and 0 < known.mean() < 1:
        return
    if dataset.info.has_times and frame.converted and not (len(known) and known.all()):
        return
    got = "no final label at all" if not len(known) else f"{len(known)} labels that are all {int(known[0])}"
    raise InputError.of(
        where=f"{dataset.place}, target {question.target}", expected="some that converted and some that did not", got=got,
        remedy="Import outcomes of this target, or a longer history, and train again.",
    )  # fmt: skip


def _sampled(frame: Frame, limit: int) -> Frame:
    """About `limit` rows, see `thinned`."""
    keep, weight = thinned(frame.label, frame.hashes, frame.as_of, limit)
    return replace(frame.take(keep), weight=weight, sampled_out=len(frame) - len(keep))


# -- second walk: the feature set ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Crossed:
    """Fitted parts that use the label, learned without one fold of leads each: `parts[f][family]` never saw fold f.

    leads: bool by lead number, whose labels were used. Every row of such a lead gets the part that never saw it.
    """

    parts: tuple[Mapping[str, Fitted], ...]
    leads: Mask

    @staticmethod
    def none() -> Crossed:
        return Crossed((), np.zeros(0, dtype=np.bool_))

    def into(self, values: F64, moment: Moment, feature_set: FeatureSet, frame: Frame, rows: I64) -> None:
        """Replace the values of these families in rows whose labels were used."""
        if not self.parts:
            return
        mine, fold = self.leads[frame.lead[rows]], fold_of(frame.hashes[rows])
        family_of = np.array(feature_set.family_of)
        for name in self.parts[0]:
            number = feature_set.names.index(name)
            family = feature_set.families[number]
            crossed = cross_fitted(family, moment, [part[name] for part in self.parts], fold)
            at = np.flatnonzero(family_of == number)
            values[np.ix_(mine, at)] = crossed.reshape(len(rows), -1)[mine]


def fit_on(
    dataset: Dataset, frame: Frame, rows: I64, content: str | None, learn: bool = False, context: bool = False
) -> tuple[FeatureSet, Crossed, Clustering]:
    """The feature set, fitted on the last of the given (training) rows of each lead, of up to 20,000 leads.

    One row a lead, so that what a single lead repeats for weeks is no category; leads by hash, so that the set does
    not depend on how the dataset is divided into groups. With `learn` families that use the label are among it, with
    `context` those that look at other records than the lead's own. Behaviour clusters join where they are worth it.
    """
    out = {CLUSTERS} if context else {CLUSTERS, *CONTEXT}
    families = tuple(f for f in families_for(dataset.info.extra) if f.name not in out)
    if not dataset.info.has_times:
        families = tuple(f for f in families if f.group == "profile" or f.name.startswith("extra_"))
    document = yaml.safe_load(content or packaged.content_text())
    chosen = _one_row_a_lead(frame, rows)
    parts, at = [], []
    for people, start in _groups(dataset):
        mine = chosen[(frame.lead[chosen] >= start) & (frame.lead[chosen] < start + len(people))]
        if len(mine):
            parts.append(people.take(frame.lead[mine] - start))
            at.append(mine)
    people, picked = joined(parts), np.concatenate(at)
    # The content map is needed to encode and is no fitted part: an unfitted set encodes the same.
    blank = FeatureSet((), dataset.info.extra, {}, document, packaged.source_categories())
    lead = np.arange(len(picked), dtype=np.int64)
    encoded = blank.encode(people.events)
    beside = Beside.of(people) if context else Beside.of(people).bare()
    moment = moment_at(people.leads, encoded, lead, people.created_at, frame.as_of[picked], beside)
    labels = Labels(frame.label[picked], frame.weight[picked])
    feature_set = fit_feature_set(
        families, dataset.info.extra, document, blank.categories, moment, labels if learn else None
    )
    if not learn:
        return feature_set, Crossed.none(), Clustering("turns" if dataset.info.has_times else "times")
    clusters = clustering_of(feature_set, moment, labels, frame.hashes[picked])
    if clusters.kept:
        families, feature_set = (*families, clusters.family), feature_set.adding(CLUSTERS, clusters.part)
    return feature_set, _crossed(families, moment, labels, frame, picked), clusters


def _crossed(families: Sequence[Family], moment: Moment, labels: Labels, frame: Frame, picked: I64) -> Crossed:
    """The parts that use the label once more for each fold of leads, whose rows weigh nothing."""
    fold = fold_of(frame.hashes[picked])
    parts = []
    for f in range(FOLDS):
        others = Labels(labels.label, np.where(fold == f, 0.0, labels.weight))
        parts.append({n.name: n.learn(moment, others) for n in families if n.learn is not None})
    leads = np.zeros(int(frame.lead.max(initial=-1)) + 1, dtype=np.bool_)
    leads[frame.lead[picked]] = True
    return Crossed(tuple(parts), leads)


def _one_row_a_lead(frame: Frame, rows: I64) -> I64:
    """The last row of each lead, of the FIT_ROWS leads with the smallest hashes, in the order of the frame."""
    rows = np.sort(rows)
    last = rows[run_ends(frame.lead[rows])]
    return np.sort(last[np.argsort(frame.hashes[last], kind="stable")[:FIT_ROWS]])


def _groups(dataset: Dataset) -> Iterator[tuple[People, int]]:
    """Each group with the number of its first lead."""
    start = 0
    for people in dataset.people():
        yield people, start
        start += len(people)


def moment_of(people: People, feature_set: FeatureSet, lead: I64, as_of: I64) -> Moment:
    """What was known of lead[i] of these people at as_of[i], for this feature set."""
    encoded = feature_set.encode(people.events)
    beside = Beside.of(people) if feature_set.context else Beside.of(people).bare()
    return moment_at(people.leads, encoded, lead, people.created_at[lead], as_of, beside)


# -- third walk: every row -------------------------------------------------------------------------------------
def table_of(
    dataset: Dataset, frame: Frame, fitted: tuple[FeatureSet, Crossed], rules: Rules, champion: Bundle | None,
    advance: Advance,
) -> Table:  # fmt: skip
    """Features, points, slices, comparators and the champion's answers for every row of the frame."""
    feature_set, crossed = fitted
    n = len(frame)
    values = np.empty((n, len(feature_set.columns)))
    points = np.zeros(n, dtype=np.int64)
    parts = Collector(n)
    comparators = {
        e.name: np.full(n, np.nan) for e in dataset.info.extra if e.role == "comparator" and e.kind == "number"
    }
    said = (np.full(n, np.nan), np.full(n, np.nan)) if champion else None
    for people, rows, start in _chunks(dataset, frame):
        part = _used(people, frame.lead[rows] - start)
        moment = moment_of(part, feature_set, frame.lead[rows] - start, frame.as_of[rows])
        found = build_features(moment.leads, moment.journeys, feature_set).values
        crossed.into(found, moment, feature_set, frame, rows)
        values[rows] = found
        points[rows] = score_points(rules, moment).total
        parts.put(rows, slices_at(moment, dataset.info.has_times) | {"look": _look(frame, rows)})
        for name, column in comparators.items():
            column[rows] = moment.leads.number(name)
        if champion and said:
            _ask(champion, part, frame, rows, start, said)
        advance(len(rows))
    return Table(feature_set, values, points, parts.found(), said, comparators)


def moments_of(dataset: Dataset, frame: Frame, feature_set: FeatureSet) -> Iterator[tuple[I64, Moment]]:
    """The rows of a frame, as positions, and what was known at them; of the set only content map and context count."""
    for people, rows, start in _chunks(dataset, frame):
        part = _used(people, frame.lead[rows] - start)
        yield rows, moment_of(part, feature_set, frame.lead[rows] - start, frame.as_of[rows])


def _chunks(dataset: Dataset, frame: Frame) -> Iterator[tuple[People, I64, int]]:
    """Rows in pieces of whole groups, at most CHUNK rows each; the frame is sorted by lead."""
    for people, start in _groups(dataset):
        first, last = np.searchsorted(frame.lead, [start, start + len(people)])
        for at in range(int(first), int(last), CHUNK):
            yield people, np.arange(at, min(at + CHUNK, int(last))), start


def _used(people: People, lead: I64) -> People:
    """The people with only the events of the leads in use: encoding is paid once per event, not once per chunk."""
    owner = np.asarray(people.events["lead"], dtype=np.int64)
    mine = np.flatnonzero((owner >= lead.min()) & (owner <= lead.max()))
    return replace(people, events=take(people.events, mine))


def _ask(champion: Bundle, people: People, frame: Frame, rows: I64, start: int, said: tuple[F64, F64]) -> None:
    moment = moment_of(people, champion.feature_set, frame.lead[rows] - start, frame.as_of[rows])
    table = build_features(moment.leads, moment.journeys, champion.feature_set)
    answer = champion.predict(table, score_points(champion.rules, moment).total)
    said[0][rows], said[1][rows] = answer.rank_score, answer.probability


def _look(frame: Frame, rows: I64) -> Coded:
    return Coded((~frame.first_look[rows]).astype(np.int32), ("first", "later"))
