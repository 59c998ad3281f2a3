"""What tests of imports night after night share: a dataset as a whole, and its features at some moments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.dataset import People, joined, open_dataset
from data.times import to_micros
from features.build import FeatureSet, build_features
from serving.known import of_people

START = datetime(2026, 3, 1, tzinfo=UTC)


def whole(target: Path) -> People:
    return joined(list(open_dataset(target).people()))


def tables(people: People, feature_set: FeatureSet, days: Iterable[float]) -> list[bytes]:
    """The features of all leads, byte for byte, some days after START."""
    found = []
    for day in days:
        known = of_people(people, to_micros(START + timedelta(days=day)))
        moment = known.moment(feature_set)
        found.append(build_features(moment.leads, moment.journeys, feature_set).values.tobytes())
    return found
