"""The only door to features: fit a set on training rows, build the table for any rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import ExtraColumn
from data.light import light
from data.records import NULL_TIME, Columns
from features.beside import NOBODY, Beside, hand_over, past_at
from features.catalog import CONTEXT, families_for
from features.channels import CHANNEL_RULES_VERSION, ChannelOf, channel_finder
from features.content import ContentMap
from features.cutting import cut
from features.encode import Encoded, encode
from features.family import Compute, Family, Fitted, Labels, Moment
from features.journeys import Journeys
from features.lazy import cached_property
from features.leads import Leads, leads_at, select

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BLOCK = 5_000


@dataclass(frozen=True)
class FeatureSet:
    """Which features, in which order, with which fitted parts, content map and channel rules. Frozen; plain JSON.

    `version` is a digest of all of it: two sets with one version give the same table.
    """

    names: tuple[str, ...]
    extra: tuple[ExtraColumn, ...]
    fitted: Mapping[str, Fitted]
    content: Mapping[str, Any] = field(repr=False)
    categories: Mapping[str, str] = field(repr=False)
    channel_rules_version: str = CHANNEL_RULES_VERSION

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """The families in order; an unknown name is a KeyError that names it."""
        known = {f.name: f for f in families_for(self.extra)}
        return tuple(known[n] for n in self.names)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(c for f in self.families for c in f.columns(self.fitted.get(f.name, {})))

    @cached_property
    def family_of(self) -> I64:
        """Position in `families` of each column; the columns of a family stand side by side."""
        widths = [len(f.columns(self.fitted.get(f.name, {}))) for f in self.families]
        return np.repeat(np.arange(len(widths), dtype=np.int64), widths)

    @cached_property
    def columns_of(self) -> tuple[slice, ...]:
        """Where the columns of each family are."""
        ends = np.searchsorted(self.family_of, np.arange(len(self.families)), side="right").tolist()
        return tuple(slice(a, b) for a, b in zip([0, *ends], ends, strict=False))

    @cached_property
    def computed(self) -> tuple[tuple[Compute, Fitted], ...]:
        """How each family is computed, and its fitted part."""
        # Lists as tuples: families look things up by them.
        parts = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in self.fitted.get(n, {}).items()} for n in self.names
        ]
        return tuple(zip((f.compute for f in self.families), parts, strict=True))

    @cached_property
    def context(self) -> bool:
        """Does it look at records beside the lead's own? Then whoever asks must have outcomes and accounts."""
        return not CONTEXT.isdisjoint(self.names)

    @cached_property
    def content_map(self) -> ContentMap:
        return ContentMap.of(self.content)

    @cached_property
    def _channel_of(self) -> ChannelOf:
        return channel_finder(self.categories, self.content_map.own_hosts)

    @cached_property
    def version(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def adding(self, name: str, fitted: Fitted) -> FeatureSet:
        """The set with one more family and its fitted part."""
        return replace(self, names=(*self.names, name), fitted=dict(self.fitted) | {name: fitted})

    def to_json(self) -> str:
        """JSON with sorted keys; `from_json` gives the same set back."""
        document = {
            "channel_rules_version": self.channel_rules_version,
            "categories": dict(self.categories),
            "content": dict(self.content),
            "extra": [vars(e) for e in self.extra],
            "families": list(self.names),
            "fitted": {n: dict(f) for n, f in self.fitted.items()},
        }
        return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> FeatureSet:
        d = json.loads(text)
        return FeatureSet(
            tuple(d["families"]), tuple(ExtraColumn.of(e) for e in d["extra"]), d["fitted"], d["content"],
            d["categories"], d["channel_rules_version"],
        )  # fmt: skip

    def encode(self, events: Columns) -> Encoded:
        """Events with this set's content map and channel rules."""
        return encode(events, self.content_map, self._channel_of)


@light
class FeatureTable:
    """values float64 (n, k), C order, NaN = unknown; columns as in the feature set."""

    columns: tuple[str, ...]
    values: F64


def moment_at(
    leads: Columns, encoded: Encoded, lead: I64, created_at: I64, as_of: I64, beside: Beside | None = None
) -> Moment:
    """What was known of lead[i] just before as_of[i], and may be used.

    Here and in `journeys_at` consent is enforced: a lead that has not given it is asked about as nobody, who has
    neither records nor a time of creation.
    """
    beside = beside or Beside()
    return Moment(
        _profiles_at(leads, lead, created_at, as_of, beside),
        journeys_at(encoded, lead, as_of, beside),
    )


def _profiles_at(leads: Columns, lead: I64, created_at: I64, as_of: I64, beside: Beside) -> Leads:
    """The profile and the past of lead[i] known before as_of[i] that may be used."""
    permission = beside.permission(lead, as_of)
    if permission is not None:
        lead = np.where(permission.profile, lead, NOBODY)
        created_at = np.where(permission.profile, created_at, NULL_TIME)
    past = past_at(beside, lead, as_of) if beside.accounts is not None or beside.outcomes else None
    return leads_at(leads, lead, created_at, as_of, past)


def journeys_at(encoded: Encoded, lead: I64, as_of: I64, beside: Beside) -> Journeys:
    """The events of lead[i] known before as_of[i] that may be used: with consent, and calls only up to the hand-over."""
    permission = beside.permission(lead, as_of)
    if permission is not None:
        lead = np.where(permission.events, lead, NOBODY)
    return cut(encoded, lead, as_of, hand_over(beside, lead))


def fit_feature_set(
    families: Sequence[Family],
    extra: tuple[ExtraColumn, ...],
    content: Mapping[str, Any],
    categories: Mapping[str, str],
    moment: Moment,
    labels: Labels | None = None,
) -> FeatureSet:
    """Fit the families that have something to fit on the given (training) rows. Only training calls it.

    Families that learn from labels are left out where there are none.
    """
    families = [f for f in families if f.learn is None or labels is not None]
    fitted = {f.name: f.fit(moment) for f in families if f.fit is not None}
    if labels is not None:
        fitted |= {f.name: f.learn(moment, labels) for f in families if f.learn is not None}
    return FeatureSet(tuple(f.name for f in families), extra, fitted, content, categories)


def build_features(leads: Leads, journeys: Journeys, feature_set: FeatureSet) -> FeatureTable:
    """The features of n (lead, as_of) pairs, (n, k).

    Row i depends on row i of `leads` and segment i of `journeys` alone, bit for bit.
    """
    values = _by_column(Moment(leads, journeys), feature_set)
    return FeatureTable(feature_set.columns, np.ascontiguousarray(values.T))


def _by_column(moment: Moment, feature_set: FeatureSet) -> F64:
    """The table transposed, (k, n): each column is written in one go."""
    parts = [compute(moment, fitted) for compute, fitted in feature_set.computed]
    values = np.empty((len(feature_set.columns), len(moment)))
    return np.concatenate([p.T if p.ndim > 1 else p[np.newaxis] for p in parts], out=values)


def features_at(
    leads: Columns, encoded: Encoded, lead: I64, created_at: I64, as_of: I64, feature_set: FeatureSet,
    beside: Beside | None = None, out: F64 | None = None,
) -> FeatureTable:  # fmt: skip
    """`build_features` of `moment_at`, in blocks of leads: for many rows of which nothing but the table is wanted.

    A block's arrays stay in the processor's cache, and memory holds the table and one block. The bits do not depend on
    where a block ends. out: where the values go, (n, k), such as memory that several processes share.
    """
    beside = beside or Beside()
    known = _profiles_at(leads, lead, created_at, as_of, beside)
    values = np.empty((len(lead), len(feature_set.columns))) if out is None else out
    for start in range(0, len(lead), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(lead)))
        moment = Moment(select(known, rows), journeys_at(encoded, lead[rows], as_of[rows], beside))
        values[start : start + BLOCK] = _by_column(moment, feature_set).T
    return FeatureTable(feature_set.columns, values)
