"""The page: its figures are those of `leadlift paths`, it shows no small group, and only who may see it does."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.consent import CONTACT, consent_spans
from data.dataset import joined
from data.records import DAY
from serving import keys
from serving.insights import session
from serving.insights.audience import audience
from serving.insights.blocks import FigureBlock, TableBlock, View
from serving.insights.choice import DIRECTIONS, TARGETS, Choice
from serving.insights.field_table import keep
from serving.insights.number_tables import change_row
from serving.insights.number_words import GERMAN_DEFINITIONS, alarm_words
from serving.insights.page import spread
from serving.insights.plan import Plan, plan_of
from serving.insights.prepared_tables import of_target
from serving.insights.publish import publish
from serving.insights.rows import month_rows, numbers, path_rows, source_rows
from serving.insights.session import inside
from serving.insights.tables import ENGLISH, GERMAN, Column, Table, table_of
from serving.insights.views import view_of
from serving.insights.words import CONTENT_STAGES, VIEWS
from tests.insights import WHEN, Prepared, Visitor, key, prepared
from training.content_effect import effect_rows
from training.content_paths import path_report
from training.field_costs import Cost
from training.field_worth import Figure
from training.fields import FieldReport, FieldRow
from training.monitor.alarm import Alarm
from training.number_figures import DEFINITIONS
from training.periods import Period
from training.prepared_names import BYS, LEAST, OTHER
from training.rising import RisingRow
from training.snapshots import conversions_of, is_open, policy_of, taken_back
from training.touches import BANDS
from training.trails import Asked, trails_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def door(shop: Prepared, tmp_path: Path) -> Visitor:
    """A visitor of the page in a home of its own: keys that one test makes close the page to no other."""
    shutil.copytree(shop.home, tmp_path / "home")
    return Visitor(tmp_path / "home")


def choices(shop: Prepared) -> Iterator[Choice]:
    """Some of everything that can be chosen."""
    for target in ("won", "lead"):
        part = shop.edition.parts[target]
        months, industries = part.months, part.about["values"]["industry"]
        for choice in (
            Choice(), Choice(start=months[2], end=months[3]), Choice(channel="email"), Choice(segment="country:DE", by="topic"),
            Choice(segment=f"industry:{industries[1]}", channel="paid_search", by="content"), Choice(end=months[0], by="stage"),
        ):  # fmt: skip
            yield replace(choice, target=target, direction=DIRECTIONS[len(choice.by) % 2])


def tables(view: View) -> list[Table]:
    return [b.table for b in view.blocks if isinstance(b, TableBlock)]


# -- figures ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", ["won", "lead"])
@pytest.mark.parametrize("by", BYS)
def test_the_paths_of_the_page_are_those_of_the_command(shop: Prepared, target: str, by: Any) -> None:
    asked = Asked(target, policy_of(shop.settings.snapshots), shop.now, by=by)
    report = path_report(trails_of(shop.dataset, asked), asked, 3, 5)
    part = shop.edition.parts[target]
    found = {r["path"]: r for r in path_rows(part, part.people, by, 5)}
    assert list(found) == [r.text for r in report.rows]
    assert len(found) > 5
    for row in report.rows:
        shown = found[row.text]
        for name, value in row.document().items():
            if name in ("people", "conversions", "claimed", "cancelled"):
                assert shown[name] == value
            elif shown[name] is None:
                assert value is None or row.conversions < LEAST
            elif isinstance(value, float) and name not in ("probability", "points"):
                assert shown[name] == pytest.approx(value, rel=1e-5)


def test_people_of_all_channels_and_of_all_months_add_up(shop: Prepared) -> None:
    for target, part in shop.edition.parts.items():
        whole = len(part.people)
        channels = part.about["values"]["channel"]
        assert sum(len(part.chosen(Choice(target=target, channel=c), part.people)) for c in channels) == whole
        assert sum(len(part.chosen(Choice(target=target, start=m, end=m), part.people)) for m in part.months) == whole
        assert whole == part.about["people"]


def test_people_by_their_visits_add_up_to_all_who_are_told_of(shop: Prepared) -> None:
    every = {(t.id, t.target): t for t in shop.edition.tables}
    for target, part in shop.edition.parts.items():
        rows = every["touches", target].rows
        missing = len(part.people) - sum(r["people"] for r in rows)
        assert 0 <= missing < LEAST * len(BANDS)
        assert part.people.conversions - missing <= sum(r["conversions"] for r in rows) <= part.people.conversions


def test_the_whole_counts_every_lead_and_conversion_there_is(shop: Prepared) -> None:
    (whole,) = next(t for t in shop.edition.tables if t.id == "whole").rows
    people = joined(list(shop.dataset.people()))
    won = conversions_of(people.outcomes, "converted", shop.now)
    kept = won.lead[~taken_back(won, policy_of(shop.settings.snapshots))].tolist()
    assert (whole["people"], whole["conversions"], whole["converted"]) == (len(people), len(kept), len(set(kept)))
    by_source = next(t for t in shop.edition.tables if t.id == "whole_sources").rows
    for name in ("visits", "people", "converted", "hits"):
        assert 0 < sum(r[name] for r in by_source) <= whole[name]
    assert whole["hits"] <= whole["conversions"]
    assert sum(r["visits"] for r in by_source) > whole["visits"] * 0.9


def test_what_was_prepared_of_everybody_is_what_the_same_people_chosen_are_told(shop: Prepared) -> None:
    for part in shop.edition.parts.values():
        again = part.people.where(np.ones(len(part.people), dtype=np.bool_))  # worked out, not read
        for by in BYS:
            assert path_rows(part, part.people, by, 5) == path_rows(part, again, by, 5)
            walk = part.people.column(f"walk_{by}")
            seen = Counter(walk[walk >= 0].tolist())
            assert seen[part.about["start"][by]] == max(seen.values())
        assert source_rows(part, part.people) == source_rows(part, again) != []
        assert numbers(part, part.people) == numbers(part, again)
        assert month_rows(part, part.people) == month_rows(part, again) != []


def test_the_flow_forward_is_what_each_person_saw_next(shop: Prepared) -> None:
    part = shop.edition.parts["won"]
    names, walk = part.about["names"]["type"], part.people.column("walk_type").tolist()
    page = names[part.about["start"]["type"]]
    (flow,) = (t for t in tables(view_of(shop.edition, "paths", Choice(direction="forward"))) if t.id == "flow")
    firsts = [row[row.index(names.index(page)) :] for row in walk if names.index(page) in row]
    after = Counter(names[row[1]] for row in firsts if len(row) > 1)
    shown = {r["after"]: r["people"] for r in flow.rows if r["step"] == 1}
    assert len(shown) > 2
    for name in set(shown) & set(names):
        assert shown[name] == after[name]
    assert sum(shown.values()) == len(firsts)


def test_the_period_before_is_as_long_and_ends_where_the_chosen_one_begins(shop: Prepared) -> None:
    part = shop.edition.parts["won"]
    chosen = Choice(start=part.months[3], end=part.months[4])
    before = part.before(chosen)
    assert before is not None
    assert sorted(set(before.column("month").tolist())) == [1, 2]
    assert part.before(Choice(start=part.months[1], end=part.months[4])) is None
    assert part.before(Choice()) is None


# What a row counts, and the rates, medians and ratios that are told of so many.
GROUPS = {
    "people": "rate", "visitors": "", "people_with": "rate_with", "people_without": "rate_without", "stood": "share",
    "visits": "bounce_rate", "looked_at": "ready_share", "matured": "conversion", "met_people": "met_rate",
    "left_people": "left_rate", "filled_people": "filled_rate", "readers_people": "readers_rate", "people_before": "change",
}  # fmt: skip


COUNTED = (
    "people", "visitors", "people_with", "stood", "met_people", "left_people", "filled_people", "readers_people", "people_before",
)  # fmt: skip


def test_no_group_below_five_people_is_shown_whatever_is_chosen(shop: Prepared) -> None:
    seen: Counter[str] = Counter()
    for choice in choices(shop):
        for name in VIEWS:
            for table in tables(view_of(shop.edition, name, choice)):
                for row in table.rows:
                    assert _small(table, row) == [], (choice, table.id, row)
                    seen.update(g for g in GROUPS if row.get(g) is not None)
    assert set(GROUPS) - set(seen) <= {"people_before"}  # nothing rises in a market that is always alike
    assert seen.total() > 500
    few = replace(Choice(), channel="sms")
    assert not tables(view_of(shop.edition, "paths", few))


def _small(table: Table, row: Any) -> list[str]:
    """Columns that tell of some people, but of fewer than LEAST."""
    shown = {c.key: row.get(c.key) for c in table.columns}
    found = [n for n in COUNTED if 0 < (shown.get(n) or LEAST) < LEAST]
    of = {v: row[n] for n, v in GROUPS.items() if row.get(n) is not None}
    if "conversions" in row and "cancelled" in row:
        of |= {"days_to_convert": row["conversions"], "cancelled_share": row["conversions"] + row["cancelled"]}
    return found + [v for v, n in of.items() if n < LEAST and shown.get(v) is not None]


def test_what_few_saw_is_told_of_no_content(shop: Prepared) -> None:
    asked = Asked("won", policy_of(shop.settings.snapshots), shop.now)
    some = trails_of(shop.dataset, asked).take(np.arange(60))
    seen = Counter(some.names[code] for _, code in {*zip(some.person.tolist(), some.step.tolist(), strict=True)})
    effects, attribution = of_target("won", some, effect_rows(some, LEAST), None)
    assert {n for n in seen if 0 < seen[n] < LEAST}
    assert {r["content"] for r in attribution.rows} <= {n for n in seen if seen[n] >= LEAST} | {OTHER}
    with_path = some.label[np.unique(some.person)].sum()
    assert sum(r["linear"] for r in attribution.rows) == pytest.approx(with_path)
    many = some.take(np.flatnonzero(np.isin(np.arange(60), some.person[some.step == some.step[0]])))
    told = of_target("won", many, effect_rows(many, LEAST), None)[0].rows
    assert [r["rate_without"] for r in told if r["people_without"] < LEAST][:1] == [None]
    assert len(effects.rows) > 2


@pytest.mark.parametrize(
    ("now", "before", "told"), [(40, 3, [40, None, None]), (3, 40, [None, 40, None]), (40, 0, [40, 0, 9.0])]
)
def test_a_period_in_which_few_saw_a_content_is_not_told(now: int, before: int, told: list[float | None]) -> None:
    row = change_row(RisingRow("x", now, before, 9.0, 2.0, 20.0, 8.0, 0.0, 0.0, True))
    assert [row["people"], row["people_before"], row["change"]] == told


def test_the_flow_adds_up_to_those_who_converted(shop: Prepared) -> None:
    part = shop.edition.parts["won"]
    (flow,) = (t for t in tables(view_of(shop.edition, "paths", Choice())) if t.id == "flow")
    converted = sum(r["people"] for r in flow.rows if r["step"] == 1)
    assert part.people.conversions - LEAST * 6 <= converted <= part.people.conversions
    for row in flow.rows:
        if row["step"] == 2:
            inflow = sum(r["people"] for r in flow.rows if r["step"] == 1 and r["before"] == row["after"])
            assert row["people"] <= inflow


def test_where_visitors_become_leads_is_told_by_channel_too(shop: Prepared) -> None:
    found = {t.id: t for t in tables(view_of(shop.edition, "content", Choice("lead")))}
    whole = {(r["content"], r["action"]): r["leads"] for r in found["activation"].rows}
    parts: Counter[tuple[str, str]] = Counter()
    for row in found["activation_sources"].rows:
        assert min(row["leads"], row["visitors"]) >= LEAST
        parts[row["content"], row["action"]] += row["leads"]
    assert len({r["channel"] for r in found["activation_sources"].rows}) > 1
    assert all(parts[point] <= whole[point] for point in parts)


@pytest.mark.parametrize(("target", "title"), [("won", "Later won"), ("accepted", "Later accepted")])
def test_what_became_of_who_met_a_form_is_called_by_the_target(shop: Prepared, target: str, title: str) -> None:
    (gates,) = (t for t in tables(view_of(shop.edition, "content", Choice(target))) if t.id == "gates")
    assert {c.title[0] for c in gates.columns if c.low} == {title}
    assert all(("won" in said) == (target == "won") for said in gates.sentences("en"))


def test_a_difference_of_shares_is_in_percentage_points() -> None:
    column = Column("d", ("Difference", "Unterschied"), "points", "low", "high")
    row = {"d": 0.0975, "low": 0.0625, "high": 0.125}
    table = Table("x", "v", ("x", "x"), (column,), [row])
    assert (column.text(row, "de"), column.interval(row, "en")) == ("9,8", "6.2 to 12.5")
    assert table.csv("en").decode("utf-8-sig").split("\r\n")[1] == "9.75,6.25,12.5"


def test_rows_read_as_sentences_in_both_languages(shop: Prepared) -> None:
    table = next(t for t in tables(view_of(shop.edition, "paths", Choice())) if t.id == "paths")
    row = table.rows[0]
    for lang, word in (("en", "converted"), ("de", "konvertierten")):
        said = table.sentences(lang)[0]
        assert str(row["people"]) in said
        assert row["path"] in said
        assert word in said


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "<b>Lift:</b> Rate over that of all people"), ("de", "<b>Lift:</b> Quote im Verhältnis zu der aller")],
)
def test_a_reader_is_told_what_columns_mean(door: Visitor, lang: str, said: str) -> None:
    assert said in html.unescape(door.get(f"/insights/paths?lang={lang}").body.decode())


def test_a_german_reader_reads_definitions_stages_and_periods_in_german(shop: Prepared, door: Visitor) -> None:
    assert set(GERMAN_DEFINITIONS) == set(DEFINITIONS)
    english, german = (html.unescape(door.get(f"/insights/?lang={lang}").body.decode()) for lang in ("en", "de"))
    for name, text in DEFINITIONS.items():
        assert text in english
        assert text not in german
        assert GERMAN_DEFINITIONS[name][1] in german
    shown = re.findall(r'<th scope="row" class="word">([\w ]+)<', english)
    assert {"MQL", "sales ready", "accepted"} <= set(shown)
    small = {text: name for name, text in ENGLISH.items()}
    for stage in shown:
        assert f'<th scope="row" class="word">{GERMAN[small.get(stage, stage)]}<' in german
    assert re.search(r"\d{4}-\d\d-\d\d to \d{4}", english)
    assert not re.search(r"\d{4}-\d\d-\d\d to \d{4}", german)
    german = door.get("/insights/csv/overview/definitions?lang=de").body.decode("utf-8-sig")
    assert GERMAN_DEFINITIONS["won"][1] in german


def test_stages_of_content_have_german_names_and_their_audience_is_the_same(shop: Prepared) -> None:
    english, german = (view_of(shop.edition, "paths", Choice(by="stage", lang=lang)) for lang in ("en", "de"))
    assert [path for path, _ in english.audience] == [path for path, _ in german.audience]
    said = {name for _, text in german.audience for name in text.split(" > ")}
    assert said & set(CONTENT_STAGES.values())
    assert not said & set(CONTENT_STAGES)
    shown = [c.text(r, "de") for t in tables(german) if t.id == "flow" for r in t.rows for c in t.columns]
    assert not set(shown) & set(CONTENT_STAGES)


def test_the_german_alarm_says_the_numbers_of_the_english_one() -> None:
    numbers = {"channel": "x", "campaign": "y", "leads": 1500, "leads_before": 60, "mean": 0.123, "mean_before": 0.4}
    alarm = Alarm("volume_up_quality_down", "volume up", "look", "x / y", numbers=numbers)
    english, german = alarm_words(alarm, Period(0, 28 * DAY))
    assert english == alarm.sentence
    for text in ("x / y", "1.500 Leads", "gegen 60 davor", "12,3\u00a0%", "40,0\u00a0%", "28 Tagen seit 1970-01-01"):
        assert text in german


def test_an_interval_is_drawn_around_no_difference_where_values_may_be_below_it() -> None:
    column = Column("v", ("v", "v"), "share", "l", "h")
    rows = [{"v": -0.1, "l": -0.4, "h": 0.2}, {"v": 0.2, "l": 0.1, "h": 0.3}]
    table = Table("x", "content", ("x", "x"), (column,), rows)
    assert spread(table, column, rows[0]) == pytest.approx((0, 37.5, 75, 50))
    assert spread(table, column, rows[1]) == pytest.approx((62.5, 75, 87.5, 50))
    above = replace(table, rows=rows[1:])
    assert spread(above, column, rows[1]) == pytest.approx((100 * 0.1 / 0.26, 100 / 1.3, 100, -1))


def test_a_table_survives_being_kept() -> None:
    table = Table(
        "x", "overview", ("a", "b"), (Column("n", ("c", "d"), "share", "l", "h"),), [{"n": 1, "l": None}], whole=True
    )
    again = table_of(json.loads(json.dumps(table.document())))
    assert again.document() == json.loads(json.dumps(table.document())) | {
        "columns": [c.__dict__ for c in table.columns], "title": ("a", "b"), "sentence": ("", ""), "note": ("", "")
    }  # fmt: skip
    assert again.csv("de") == table.csv("de")


def test_every_table_downloads_whole_and_a_spreadsheet_runs_nothing_of_it(shop: Prepared) -> None:
    count = 0
    for name in VIEWS:
        for table in tables(view_of(shop.edition, name, Choice())):
            rows = list(csv.reader(io.StringIO(table.csv("en").decode("utf-8-sig"))))
            assert len(rows) == 1 + len(table.rows)
            assert len({len(r) for r in rows}) == 1
            assert len(set(rows[0])) == len(rows[0])
            count += 1
    assert count >= 7
    table = Table("x", "v", ("=1", "=1"), (Column("a", ("@a", "@a")),), [{"a": "=cmd|1"}, {"a": "+1"}])
    assert table.csv("en").decode("utf-8-sig").split() == ["'@a", "'=cmd|1", "'+1"]


def test_a_csv_says_what_the_page_says_and_in_which_unit() -> None:
    columns = (
        Column("who", ("Who", "Wer"), "word"), Column("t", ("Time", "Zeit"), "seconds"),
        Column("r", ("Rate", "Quote"), "share", "low", "high"), Column("s", ("Sure", "Sicher"), "sign"),
    )  # fmt: skip
    rows = [{"who": "paid search", "t": 12.5, "r": 0.25, "low": 0.0, "high": None, "s": 1}]
    table = Table("x", "v", ("x", "x"), columns, rows)
    assert list(csv.reader(io.StringIO(table.csv("en").decode("utf-8-sig")))) == [
        ["Who", "Time (seconds)", "Rate", "Rate (low)", "Rate (high)", "Sure"], ["paid search", "12.5", "0.25", "0.0", "", "higher"]
    ]  # fmt: skip
    assert list(csv.reader(io.StringIO(table.csv("de").decode("utf-8-sig")), delimiter=";")) == [
        ["Wer", "Zeit (Sekunden)", "Quote", "Quote (unten)", "Quote (oben)", "Sicher"],
        ["bezahlte Suche", "12,5", "0,25", "0,0", "", "höher"],
    ]


# -- whom one may write to ---------------------------------------------------------------------------------------------
def test_an_audience_is_open_leads_on_the_path_whose_permission_is_confirmed(shop: Prepared) -> None:
    people = joined(list(shop.dataset.people()))
    everybody, at = np.arange(len(people)), np.full(len(people), shop.now)
    may = consent_spans(people.consents, CONTACT, confirmed=True).at(everybody, at) > 0
    still = is_open(people, conversions_of(people.outcomes, "converted", shop.now), everybody, at)
    allowed = {people.lead_ids[i] for i in np.flatnonzero(may & still)}
    part, found = shop.edition.parts["won"], set()
    for path in part.about["paths"]["type"][:-1]:
        rows = audience(shop.edition, Choice(), " > ".join(path)).rows
        assert found.isdisjoint(r["lead_id"] for r in rows)
        found |= {r["lead_id"] for r in rows}
    assert 20 < len(found) <= len(allowed)
    assert found <= allowed
    assert not audience(shop.edition, Choice(), "(other)").rows


# -- publishing --------------------------------------------------------------------------------------------------------
def test_publishing_again_is_the_same_edition_and_what_was_killed_is_not_seen(shop: Prepared, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop.home, home)
    root = home / "market" / "insights"
    half = root / ".staged" / "won"
    half.mkdir(parents=True)
    (half / "month.npy").write_bytes(b"half")
    before = json.loads((root / "current.json").read_text())["run"]
    again = publish(
        shop.dataset, shop.settings.model_copy(update={"home": home}), shop.now, Plan("7", 3, 5), lambda n: None
    )
    assert again.name == before
    assert {f.name for f in root.iterdir()} == {before, "current.json", "plan.json"}
    assert plan_of(home, "market") == Plan("7", 3, 5)


def test_a_rescoring_prepares_the_page_again_where_it_was_prepared(
    shop: Prepared, leadlift_at: Any, tmp_path: Path
) -> None:
    leadlift = leadlift_at()
    shutil.copytree(shop.home, leadlift.home, dirs_exist_ok=True)
    pointer = leadlift.home / "market" / "insights" / "current.json"
    before = pointer.stat().st_mtime_ns
    words = ("rescore", shop.dataset.place, "--out", str(tmp_path / "scores"))
    code, _, said = leadlift(*words)
    assert (code, "/insights/" in said) == (0, True)
    assert pointer.stat().st_mtime_ns > before


def test_the_verdicts_on_fields_are_on_the_page_once_they_were_left_for_it(shop: Prepared, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop.home, home)
    at_best = Figure(0.01, 0.005, 0.02)
    row = FieldRow("state", 500, 400, 0.8, 0.77, 0.83, at_best, Figure(3, 1, 5), Figure(-0.1, -0.2, 0.3), Cost(1, 0), 0.01,
                   "ask", "it says who converts, which nothing else does")  # fmt: skip
    few = replace(row, field="title", known=LEAST - 1)
    keep(home, "market", FieldReport((row, few), "converted", 30, 500, 60, 0.4, 0.3, 1), "2025-08-28")
    publish(shop.dataset, shop.settings.model_copy(update={"home": home}), shop.now, Plan("7", 3, 5), lambda n: None)
    page = Visitor(home)
    english, german = (page.get(f"/insights/content?lang={lang}").body.decode() for lang in ("en", "de"))
    assert ">state<" in english
    assert ">title<" not in english
    assert "state: ask, for it says who converts" in english
    assert "state: fragen, denn es sagt, wer konvertiert" in german
    (told,) = csv.DictReader(io.StringIO(page.get("/insights/csv/content/fields").body.decode("utf-8-sig")))
    assert float(told["Log loss saved"]) == pytest.approx(0.01 / 0.4)
    assert float(told["Behaviour tells"]) == 0
    assert b"/csv/content/fields" not in page.get("/insights/content?target=accepted").body


# -- who may see it ----------------------------------------------------------------------------------------------------
def test_before_the_first_key_who_is_on_this_machine_is_answered(door: Visitor) -> None:
    assert door.get("/insights/").status == 200


def test_signed_out_every_place_leads_to_sign_in_and_back(door: Visitor) -> None:
    token = key(door.home, "insights")
    for url in ("/insights/", "/insights/paths?target=lead&channel=email&lang=de", "/insights/csv/paths/paths?lang=en",
                "/insights/audience?path=x", "/insights/nowhere"):  # fmt: skip
        away = door.get(url)
        assert away.status == 303
        form = door.get(away.headers["Location"])
        assert form.status == 200
        there = re.search(r'name="next" value="([^"]*)"', form.body.decode())
        assert there
        back = door.post("/insights/sign-in", {"key": token, "next": there[1].replace("&amp;", "&")})
        assert (back.status, back.headers["Location"]) == (303, url)


@pytest.mark.parametrize(
    "there",
    ["https://evil.example/", "//evil.example/insights/", "/\\evil.example", "/insights/..//evil.example", "/v1/score",
     "javascript:alert(1)", "/insights//evil.example", "", "/insights/\r\nSet-Cookie: a=b", "http:/insights/", "/insights/sign-out",
     "/insights/../v1/score"],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(door: Visitor, there: str) -> None:
    assert inside(there) == "/insights/"
    back = door.post("/insights/sign-in", {"key": key(door.home, "insights"), "next": there})
    assert back.headers["Location"] == "/insights/"


def test_a_session_is_for_this_page_and_out_of_the_reach_of_scripts(door: Visitor) -> None:
    cookie = door.post("/insights/sign-in", {"key": key(door.home, "insights")}).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/insights/"} <= {p.strip() for p in cookie.split(";")}
    secure = door.post("/insights/sign-in", {"key": key(door.home, "insights")}, x_forwarded_proto="https")
    assert "Secure" in secure.headers["Set-Cookie"]
    assert (door.home / session.FILE).stat().st_mode & 0o077 == 0


def test_keys_of_other_scopes_and_strangers_do_not_get_in(door: Visitor) -> None:
    for token in (key(door.home, "score", "leads", "admin"), "leadlift_x_y", ""):
        answer = door.post("/insights/sign-in", {"key": token})
        assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)
        assert door.get("/insights/", authorization=f"Bearer {token}").status in (401, 403)
    assert door.get("/insights/", authorization=f"Bearer {key(door.home, 'insights')}").status == 200


def test_a_session_ends_with_its_key_with_its_time_and_where_it_was_touched(
    door: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = key(door.home, "insights")
    cookie = door.post("/insights/sign-in", {"key": token}).headers["Set-Cookie"].partition(";")[0]
    assert door.get("/insights/", cookie=cookie).status == 200
    assert door.get("/insights/", cookie=cookie[:-9] + ("A" if cookie[-9] != "A" else "B") + cookie[-8:]).status == 303
    monkeypatch.setattr(session, "HOURS", -1)
    assert door.get("/insights/", cookie=cookie).status == 303
    monkeypatch.undo()
    keys.revoke(door.home, token.split("_")[1], WHEN)
    assert door.get("/insights/", cookie=cookie).status == 303


def test_leads_are_given_to_keys_with_their_scope_alone(door: Visitor) -> None:
    both, one = (door.signed_in(key(door.home, *s)) for s in (("insights", "leads"), ("insights",)))
    assert one("/insights/audience?path=x").status == 403
    assert both("/insights/audience?path=x").headers["Content-Type"].startswith("text/csv")
    assert b"/insights/audience" not in one("/insights/paths").body
    assert b"/insights/audience" in both("/insights/paths").body


def test_another_page_cannot_sign_anybody_in(door: Visitor) -> None:
    token = key(door.home, "insights")
    for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert door.post("/insights/sign-in", {"key": token}, **headers).status == 403
    assert door.post("/insights/sign-in", {"key": token}, origin="http://127.0.0.1:3000").status == 303


def test_every_answer_forbids_scripts_that_are_not_ours(door: Visitor) -> None:
    for url in ("/insights/", "/insights/paths", "/insights/sign-in", "/insights/nowhere", "/insights/static/page.js"):
        answer = door.get(url)
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert not re.search(
            rb"<script(?![^>]*(?:src=|application/json))|\son\w+=", answer.body.split(b"</head>")[-1]
        ) or (url.endswith(".js"))


def test_without_a_market_or_a_prepared_page_it_says_what_to_do(tmp_path: Path) -> None:
    for visitor in (Visitor(tmp_path), Visitor(tmp_path, None)):
        answer = visitor.get("/insights/")
        assert (answer.status, b"leadlift paths DATASET --publish" in answer.body) == (503, True)


def test_what_nobody_offers_counts_as_not_chosen(door: Visitor) -> None:
    wild = "/insights/paths?target=%3Cx%3E&from=zz&channel=nosuch&by=__class__&segment=lead_id:1&direction=up&lang=xx"
    assert door.get(wild).status == 200
    assert door.get("/insights/csv/paths/nosuch").status == 404
    assert door.get("/insights/csv/nosuch/paths").status == 404
    assert door.get("/insights/static/../page.py").status == 404


# -- the report --------------------------------------------------------------------------------------------------------
def test_the_report_is_one_file_that_fetches_nothing_and_shows_the_same_figures(
    shop: Prepared, leadlift_at: Any, tmp_path: Path
) -> None:
    leadlift, file = leadlift_at(), tmp_path / "report.html"
    shutil.copytree(shop.home, leadlift.home, dirs_exist_ok=True)
    words = ("paths", shop.dataset.place, "--html", str(file), "--support", "5", "--lang", "de")
    code, found, _ = leadlift(*words)
    assert code == 0
    text = file.read_text(encoding="utf-8")
    page = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "Führt zu: Kunden · Pfade nach: Art des Inhalts" in page
    figures = [json.loads(f) for f in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    lifts = next(f for f in figures if f["data"][0]["type"] == "scatter" and f["layout"].get("shapes"))
    assert lifts["data"][0]["x"] == [pytest.approx(r["lift"]) for r in found["rows"][: len(lifts["data"][0]["x"])]]


def test_all_targets_are_prepared(shop: Prepared) -> None:
    assert set(shop.edition.parts) == set(TARGETS)
    assert any(isinstance(b, FigureBlock) for b in view_of(shop.edition, "model", Choice()).blocks)
