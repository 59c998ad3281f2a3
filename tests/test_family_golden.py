"""A family's meaning never changes under its name: its digest over 20 fixed journeys is committed.

Where this fails a family computes something else than before. Unless that was a mistake, give it a new name (`_v2`)
and keep the old one while a release names it. A new family's digest is in the failure's message.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.build import FeatureSet
from features.catalog import STANDARD
from features.family import Family, Fitted, Labels, Moment
from features.golden import DIGESTS
from tests.cases import CATEGORIES, CONTENT, EMPTY, EXTRA, Case, moment, with_clusters

FILE = Path(__file__).parent / "samples" / "golden_journeys.json"
NUMBERS = {"employees", *(c.name for c in EXTRA if c.kind == "number")}


def _case(times: int = 1) -> Case:
    """The 20 journeys, each asked for `times` times: fitting needs rows."""
    d: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    nothing = -(2**63)
    profile = {c.name: None for c in EXTRA} | {n: float("nan") for n in NUMBERS} | {"valid_from": nothing}
    return Case(
        events=[EMPTY | {"lead": None} | e for e in d["events"]],
        links=d["links"],
        leads=[profile | {"created_at": nothing} | row for row in d["leads"]],
        created_at=[nothing if at is None else at for at in d["created_at"]],
        asks=[(lead, as_of) for lead, as_of in d["asks"]] * times,
        outcomes=d["outcomes"],
    )


@pytest.fixture(scope="module")
def moments() -> tuple[Moment, Moment]:
    """The journeys, and enough copies of them to fit on."""
    blank = FeatureSet((), EXTRA, {}, CONTENT, CATEGORIES)
    return moment(_case(), blank), moment(_case(30), blank)


def _fitted(family: Family, training: Moment) -> Fitted:
    family = with_clusters(family)
    if family.learn is not None:
        label = (np.arange(len(training)) % 20 < 7).astype(np.float64)
        return family.learn(training, Labels(label, np.ones(len(training))))
    return {} if family.fit is None else family.fit(training)


def digest(family: Family, journeys: Moment, training: Moment) -> str:
    """Columns and values to nine digits, hashed."""
    fitted = _fitted(family, training)
    values = np.round(family.compute(journeys, fitted), 12)
    rows = [[f"{v:.9g}" for v in row] for row in values.reshape(len(journeys), -1).tolist()]
    told = json.dumps([family.columns(fitted), rows], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@pytest.mark.parametrize("family", STANDARD, ids=lambda f: f.name)
def test_a_family_means_what_it_meant(family: Family, moments: tuple[Moment, Moment]) -> None:
    found = digest(family, *moments)
    assert DIGESTS.get(family.name) == found, f'"{family.name}": "{found}",'


def test_every_digest_is_of_a_family() -> None:
    assert list(DIGESTS) == [family.name for family in STANDARD]


def test_the_journeys_tell_families_apart(moments: tuple[Moment, Moment]) -> None:
    """A digest says something only where the values vary."""
    journeys, training = moments
    assert len(journeys) == 20
    for family in STANDARD:
        values = family.compute(journeys, _fitted(family, training))
        assert len(np.unique(values.reshape(20, -1), axis=0)) > 1, family.name
