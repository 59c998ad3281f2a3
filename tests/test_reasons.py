"""Reasons add up, are the same alone and together, and can be said in both languages."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.catalog import STANDARD
from features.family import Family
from serving.champion import champion
from serving.known import of_people
from serving.reasons import family_sums, render
from serving.scorer import Wants
from serving.wording import value_text


@pytest.fixture(scope="module")
def detailed(market):
    (people,) = market.dataset.people()
    return champion(market.settings, market.name).score(of_people(people, market.as_of), Wants(detail=True))


def test_reasons_add_up_to_the_log_odds_of_the_probability(detailed):
    for i, detail in enumerate(detailed.details):
        p = detailed.columns["probability"][i]
        assert math.fsum(r["contribution"] for r in detail["reasons"]) == pytest.approx(math.log(p / (1 - p)), abs=1e-9)


def test_calibration_closes_the_gap_to_the_uncalibrated_score(detailed):
    for i, detail in enumerate(detailed.details):
        parts = [r["contribution"] for r in detail["reasons"] if r["family"] != "calibration"]
        assert math.fsum(parts) == pytest.approx(detailed.rank_score[i], abs=1e-9)


def test_the_shown_reasons_are_the_three_of_the_flat_reply_and_the_strongest_first(detailed):
    for i, detail in enumerate(detailed.details):
        shown = detail["reasons"][:-3]
        assert [r["family"] for r in detail["reasons"][-3:]] == ["others", "base", "calibration"]
        assert [r["text"] for r in shown] == [
            t for k in (1, 2, 3) if (t := detailed.row(i)[f"reason_{k}"]) is not None
        ]  # fmt: skip
        sizes = [abs(r["contribution"]) for r in shown]
        assert sizes == sorted(sizes, reverse=True)


def test_family_sums_are_the_same_bits_for_one_row_and_for_many():
    rng = np.random.default_rng(0)
    contributions, family_of = rng.normal(size=(50, 40)), sorted(rng.integers(0, 9, 40).tolist())
    together = family_sums(contributions, family_of, 9)
    alone = np.vstack([family_sums(contributions[i : i + 1], family_of, 9) for i in range(50)])
    assert np.array_equal(together, alone)
    assert np.allclose(together.sum(axis=1), contributions.sum(axis=1))
    assert family_sums(np.zeros((0, 40)), family_of, 9).shape == (0, 9)


@pytest.mark.parametrize("family", STANDARD, ids=lambda f: f.name)
@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_family_has_words_for_a_value_and_for_none(family: Family, lang):
    part = "pricing" if family.parts else ""
    said = [render(family, part, value, lang) for value in (0.0, 1.0, 0.123456, 98765.4321)]
    missing = render(family, part, math.nan, lang)
    for text in (*said, missing):
        assert text.strip()
        assert "{" not in text
        assert "nan" not in text.lower().split()
    assert missing != said[1]


def test_both_languages_differ():
    assert all(f.words_en != f.words_de and f.missing_en != f.missing_de for f in STANDARD)


@pytest.mark.parametrize(
    ("value", "unit", "en", "de"),
    [
        (1234.0, "views", "1,234", "1.234"), (2.5, "days", "2.5", "2,5"), (0.427, "share", "43 %", "43 %"),
        (7.0, "s", "7 s", "7 s"), (200.0, "s", "3 min 20 s", "3 min 20 s"), (7300.0, "s", "2 h 1 min", "2 h 1 min"),
        (1.0, "flag", "yes", "ja"), (0.0, "flag", "no", "nein"), (-0.0, "days", "0", "0"), (3.0, "views", "3", "3"),
    ],
)  # fmt: skip
def test_values_are_written_for_reading(value, unit, en, de):
    assert (value_text(value, unit, "en"), value_text(value, unit, "de")) == (en, de)
