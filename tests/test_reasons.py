"""Reasons add up, are the same alone and together, and can be said in both languages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml

from data.packaged import content_text as packaged_content
from data.packaged import source_categories
from features.build import FeatureSet, fit_feature_set
from features.catalog import STANDARD, families_for
from features.clusters import GROUPS, NAME
from features.content import ContentMap
from features.family import Family, Labels
from serving.champion import champion, scorer_of
from serving.known import of_people
from serving.part_words import WORDS, content_text, part_text
from serving.reasons import SHOWN, family_sums, render
from serving.scorer import Wants
from serving.wording import value_text
from training.bundle import make_bundle
from training.predictors import LinearModel


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


# -- both languages ----------------------------------------------------------------------------------------------------
# Words that are the same in both languages, and the units h, min and s.
SHARED = {
    "blog", "demo", "downloads", "e", "h", "in", "it", "lead", "leads", "mail", "mails", "marketing", "min", "minute",
    "pause", "push", "s", "sms", "tracker", "trend", "videos", "webinar", "website",
}  # fmt: skip


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-zäöüß]+", text.lower()))


ENGLISH = set().union(
    *(_words(re.sub(r"{\w+}", "", f.words_en + " " + f.missing_en)) for f in STANDARD),
    *(_words(english) | _words(code) for words in WORDS.values() for code, (english, _) in words.items()),
    _words("Not the case no yes other missing seconds minutes hours days nan none null"),
)


def _english_in(text: str) -> set[str]:
    """English words of families, parts and values that a German text holds."""
    return (_words(text) & ENGLISH) - SHARED


def _codes(family: Family) -> tuple[str, ...]:
    """The parts of a family that are codes of ours; of the others a word of the market."""
    if family.name in ("path_2gram", "path_order"):
        return tuple(f"{code}>Xyz" for code in WORDS[family.name])
    return tuple(WORDS.get(family.name, ("Xyz",))) if family.parts else ("",)


@pytest.mark.parametrize("family", STANDARD, ids=lambda f: f.name)
def test_german_reasons_hold_no_english_word_for_any_part(family: Family):
    for part in (
        *_codes(family),
        *(("other",) if family.parts else ()),
        *(("missing",) if family.unit == "category" else ()),
    ):
        for value in (0.0, 1.0, 7.25, 5000.0, math.nan):
            german, english = (render(family, part, value, lang) for lang in ("de", "en"))
            assert _english_in(german) == set()
            assert not re.search("[{}_]", german + english)
            assert german != english


@pytest.mark.parametrize("family", STANDARD, ids=lambda f: f.name)
def test_every_code_of_a_family_without_vocabulary_has_words(family: Family):
    if family.parts and family.fit is None and family.learn is None:
        named = set(WORDS[family.name]) | {"other", "missing"}
        assert set(family.parts({})) <= named


def test_what_a_market_named_stays_and_its_contents_have_titles():
    assert part_text("first_campaign", "display", "de") == "display"
    assert part_text("path_2gram", "blog>pricing", "de") == "Blog > Preise"
    contents = ContentMap.of(yaml.safe_load(packaged_content()))
    assert [content_text(contents, "pricing", lang) for lang in ("en", "de")] == ["Prices", "Preise"]
    assert content_text(contents, "blog:security", "de") == "Blogartikel (security)"
    assert content_text(contents, "never heard of", "de") == "never heard of"


RICH: dict[str, Any] = {
    "lead_id": "nobody knows", "title": "Head of Marketing", "country": "DE", "industry": "retail", "employees": 1500,
    "email": "x@example.com", "lead_source": "Messe", "created_at": "2026-05-01T00:00:00Z", "plan wish": "größer",
    "trial_seconds": 1234.5, "as_of": "2026-06-01T00:00:00Z",
    "events": [
        {"occurred_at": f"2026-05-{day:02}T10:{minute:02}:00Z", "type": kind, "url": f"https://www.example.com{path}",
         "source": "google", "medium": "cpc", "campaign": "Herbst", "dwell_seconds": 75.0}
        for day, minute, kind, path in [
            (2, 0, "page_view", "/"), (2, 2, "page_view", "/blog/automation/x"), (2, 9, "page_view", "/product/analytics"),
            (9, 0, "page_view", "/guides/security"), (9, 1, "page_view", "/pricing"), (20, 0, "page_view", "/pricing"),
            (20, 1, "form", "/demo"), (20, 2, "download", "/guides/security"),
        ]
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def every_family(market) -> FeatureSet:
    """All families with fitted parts; two are given what so few leads do not teach: one cluster, one step."""
    (people,) = market.dataset.people()
    known, content = of_people(people, market.as_of), yaml.safe_load(packaged_content())
    families = families_for(market.dataset.info.extra)
    moment = known.moment(FeatureSet((), market.dataset.info.extra, {}, content, source_categories()))
    labels = Labels(np.arange(len(moment)) % 3 == 0, np.ones(len(moment)))
    found = fit_feature_set(families, market.dataset.info.extra, content, source_categories(), moment, labels)
    around = np.zeros(len(GROUPS) + 2)
    clusters = {"types": [], "topics": [], "centre": around.tolist(), "scale": (around + 1).tolist()}
    clusters |= {"centroids": [around.tolist()], "weights": [0.4]}
    return replace(found, fitted={**found.fitted, NAME: clusters, "path_2gram": {"values": ["blog>pricing"]}})


def _bundles(market: Any, feature_set: FeatureSet) -> Iterator[Any]:
    """For each three families a bundle whose model looks at them alone."""
    k = len(feature_set.columns)
    zero, one = np.zeros(k), np.ones(k)
    texts = {n: text for n, text in market.bundle.files.items() if n not in ("linear.json", "manifest.json")}
    about = {n: value for n, value in market.bundle.manifest.items() if n not in ("files", "format")}
    for start in range(0, len(feature_set.families), SHOWN):
        own = np.array([start <= f < start + SHOWN for f in feature_set.family_of]) * np.linspace(1, 2, k)
        model = LinearModel(feature_set.columns, zero, one, own, own, np.zeros((0, k)), np.zeros((0, k)), own / 7, -1.5)
        yield make_bundle(texts | model.files() | {"features.json": feature_set.to_json()}, about)


def test_the_service_says_every_family_in_both_languages(client, market, every_family, monkeypatch):
    from serving import service  # after `client`: BentoML's import warns

    said: dict[str, set[tuple[str, str]]] = {}
    for bundle in _bundles(market, every_family):
        desk = service.FRONT.desk
        assert desk is not None
        monkeypatch.setattr(service.FRONT, "desk", replace(desk, scorer=scorer_of(bundle)))
        for lead in (RICH, {"lead_id": "nobody knows"}):
            texts = []
            for header, lang in (("en-GB, fr;q=0.9", "en"), ("de-AT, en;q=0.5", "de")):
                answer = client.post("/v1/score?detail=full", json=lead, headers={"Accept-Language": header})
                assert (answer.status_code, answer.headers["content-language"]) == (200, lang)
                texts.append({r["family"]: r["text"] for r in answer.json()["reasons"]})
                assert answer.json()["reason_1"] == answer.json()["reasons"][0]["text"]
            for family, english in texts[0].items():
                said.setdefault(family, set()).add((english, texts[1][family]))
    assert set(said) == set(every_family.names) | {"others", "base", "calibration"}
    for family, pairs in said.items():
        for english, german in pairs:
            assert not re.search(r"[{}]|\bnan\b", german + english)
            if family != "extra_trial_seconds":  # a column that was declared without labels
                assert english != german, family
                assert _english_in(german) == set()
    assert said["days_since_first"] >= {("First seen 29.6 days ago", "Zuerst vor 29,6 Tagen aktiv")}
    assert said["path_log_odds"] >= {("No page view on record", "Kein Seitenaufruf bekannt")}


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
