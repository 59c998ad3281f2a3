"""The shared numbers of chosen months, channels and segments: those of the records, adding up, and no few people by a difference."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import joined
from data.records import DAY
from serving.insights.blocks import TableBlock
from serving.insights.choice import Choice
from serving.insights.chosen_numbers import Span, figures_in, numbers_in, shared_numbers, source_tables, spans
from serving.insights.edition import Edition
from serving.insights.views import view_of
from tests.insights import Prepared, Visitor, prepared
from training.lead_facts import NumbersAsked
from training.number_figures import COUNTS, Figures
from training.numbers import FEW, too_few
from training.numbers_report import counted
from training.periods import month_of
from training.prepared_names import ATTRIBUTES, LEAST, UNKNOWN
from training.rules_rows import rules_in_force
from training.snapshots import policy_of
from training.visit_counts import visit_months

ADDED = tuple(n for n in Figures.__dataclass_fields__ if n in COUNTS and n not in ("new_visitors", "became_leads"))
OF_LEADS = tuple(n for n in ADDED if n not in ("visitors", "visits", "bounces", "spend"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("shop"))


def _spans(shop: Prepared) -> list[Span]:
    """The window of everybody, some months, and all of them."""
    part, kept = shop.edition.parts["won"], shop.edition.kept
    m = part.months
    choices = (Choice(), Choice(start=m[3], end=m[4]), Choice(end=m[-1]))
    return [spans(kept, part, c)[0] for c in choices]


# -- sums --------------------------------------------------------------------------------------------------------------
def test_the_windows_of_everybody_are_counted_as_they_were_prepared(shop: Prepared) -> None:
    prepared_ = {t.id: t for t in shop.edition.tables}
    part = shop.edition.parts["won"]
    assert shared_numbers(shop.edition, part, Choice()).csv("de") == prepared_["numbers"].csv("de")
    for table in source_tables(shop.edition, part, Choice()):
        assert table.csv("en") == prepared_[table.id].csv("en")


def test_channels_campaigns_and_segments_of_any_months_add_up(shop: Prepared) -> None:
    kept = shop.edition.kept
    for span in _spans(shop):
        numbers = numbers_in(kept, span)
        channels = [r for r in numbers.channels if r.channel != FEW]
        assert [figures_in(kept, span, Choice(channel=r.channel)) for r in channels] == [r.figures for r in channels]
        for rows, name in product((numbers.channels, numbers.campaigns), ADDED):
            assert sum(getattr(r.figures, name) or 0 for r in rows) == pytest.approx(getattr(numbers.total, name) or 0)
        for attribute, name in product(ATTRIBUTES, OF_LEADS):
            parts = [
                figures_in(kept, span, Choice(segment=f"{attribute}:{v}")) for v in kept.about["values"][attribute]
            ]
            assert sum(getattr(p, name) or 0 for p in parts) == pytest.approx(getattr(numbers.total, name) or 0)


def test_months_add_up_but_for_visitors_who_come_again(shop: Prepared) -> None:
    kept, part = shop.edition.kept, shop.edition.parts["won"]
    first, last = part.months[2], part.months[4]
    (whole, *_) = spans(kept, part, Choice(start=first, end=last))
    assert whole.months is not None
    months = [spans(kept, part, Choice(start=m, end=m))[0] for m in part.months[2:5]]
    found, parts = numbers_in(kept, whole).total, [numbers_in(kept, m).total for m in months]
    for name in ADDED:
        if name != "visitors":
            assert sum(getattr(p, name) or 0 for p in parts) == pytest.approx(getattr(found, name) or 0)
    visitors = [p.visitors or 0 for p in parts]
    assert max(visitors) < (found.visitors or 0) < sum(visitors)


def test_the_numbers_of_months_are_those_of_the_records(shop: Prepared) -> None:
    part, kept = shop.edition.parts["won"], shop.edition.kept
    (span, *_) = spans(kept, part, Choice(start=part.months[2], end=part.months[4]))
    period = span.period
    assert (str(period.document()["from"]), str(period.document()["to"])[:7]) == (
        part.months[2] + "-01",
        part.months[4],
    )
    rules = rules_in_force(None, shop.dataset, shop.settings.home, "market")[0]
    asked = NumbersAsked(policy_of(shop.settings.snapshots), shop.now, period, rules)
    found = counted(shop.dataset, asked)
    total = numbers_in(kept, span).total
    visits = {n: found.visits.sums[0].of(n, len(found.names)).sum() for n in ("visitors", "visits", "bounces")}
    assert {n: getattr(total, n) for n in visits} == visits
    assert min(visits.values()) > 20
    people = joined(list(shop.dataset.people()))
    first = np.searchsorted(np.asarray(people.leads["lead"]), np.arange(len(people)))
    texts = people.leads["country"].texts()  # type: ignore[union-attr]
    country = np.array([texts[i] or UNKNOWN for i in first.tolist()])
    for value in kept.about["values"]["country"][:-1]:
        mine = period.holds(people.created_at) & (country == value)
        assert figures_in(kept, span, Choice(segment=f"country:{value}")).leads == mine.sum()


visit = st.tuples(st.integers(0, 6), st.integers(0, 130), st.integers(0, 2))


@given(st.lists(visit, max_size=40), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_a_visitor_counts_once_in_any_months_by_its_first_visit_in_them(
    visits: list[tuple[int, int, int]], first: int, more: int
) -> None:
    """Visits are (person, day, source); kept by their months they tell what counting them one by one does."""
    visits = sorted(set(visits))
    person, day, source = np.array(visits, dtype=np.int64).reshape(-1, 3).T
    month = month_of(day * DAY).tolist()
    sums = visit_months(person, day * DAY, source, person < 0).sums(first, first + more)
    inside = [v for v, m in zip(visits, month, strict=True) if first <= m <= first + more]
    seen: dict[int, int] = {}
    for who, _, where in inside:
        seen.setdefault(who, where)
    assert sums.of("visits", 3).tolist() == [sum(v[2] == s for v in inside) for s in range(3)]
    assert sums.of("visitors", 3).tolist() == [sum(w == s for w in seen.values()) for s in range(3)]


# -- who may not be told of --------------------------------------------------------------------------------------------
def test_what_a_channel_or_a_segment_leaves_out_is_nobody_or_five_people_and_more(shop: Prepared) -> None:
    edition, hidden = shop.edition, 0
    part = edition.parts["won"]
    months = Choice(start=part.months[3], end=part.months[3])
    everybody = _told(edition, months)
    chosen = {a: [replace(months, segment=f"{a}:{v}") for v in part.about["values"][a]] for a in ATTRIBUTES}
    chosen["channel"] = [replace(months, channel=c) for c in part.about["values"]["channel"]]
    for name, choices in chosen.items():
        told = [row for c in choices if (row := _told(edition, c))]
        counts = ("leads", "mql", "accepted", "won", "cancelled", *(("visitors",) if name == "channel" else ()))
        rest = max(everybody[n] - sum(r[n] for r in told) for n in counts)
        assert rest == 0 or rest >= LEAST
        hidden += rest > 0
    assert hidden > 1


def test_campaigns_that_are_not_told_are_five_people_of_their_channel_and_more(shop: Prepared) -> None:
    kept, part = shop.edition.kept, shop.edition.parts["won"]
    hidden = 0
    for choice in (Choice(start=m, end=m) for m in part.months):
        numbers = numbers_in(kept, spans(kept, part, choice)[0])
        for channel in (r for r in numbers.channels if r.channel != FEW):
            own = [r.figures for r in numbers.campaigns if r.channel == channel.channel]
            counts = ("visitors", "leads", "mql", "accepted", "won", "cancelled")
            rest = max(getattr(channel.figures, n) - sum(getattr(f, n) for f in own) for n in counts)
            assert rest == 0 or rest >= LEAST
            hidden += rest > 0
    assert hidden


def test_months_that_differ_by_one_in_which_few_came_are_not_told_of(shop: Prepared) -> None:
    """Where a longer choice and a shorter one are both told, each month between them is told itself."""
    edition, hidden = shop.edition, 0
    part = edition.parts["won"]
    values = [f"{a}:{v}" for a in ATTRIBUTES for v in part.about["values"][a]]
    for choice in (*(Choice(channel=c) for c in part.about["values"]["channel"]), *(Choice(segment=v) for v in values)):
        months = [replace(choice, start=m, end=m) for m in part.months[2:5]]
        small = [0 < (_people(edition, c) or LEAST) < LEAST for c in months]
        if any(small):
            hidden += 1
            assert not _told(edition, replace(choice, start=part.months[2], end=part.months[4]))
            assert not any(_told(edition, c) for c, few in zip(months, small, strict=True) if few)
    assert hidden > 3


def _people(edition: Edition, choice: Choice) -> int:
    """How many a choice of months tells of, whether it may or not."""
    kept = edition.kept
    return figures_in(kept, spans(kept, edition.parts["won"], choice)[0], choice).people


def _told(edition: Edition, choice: Choice) -> Any:
    """The row of the chosen months themselves; None where it is not told."""
    part = edition.parts["won"]
    text = spans(edition.kept, part, choice)[0].period.text
    return next((r for r in shared_numbers(edition, part, choice).rows if r["period"][0] == text), None)


group = st.lists(st.integers(0, 5), max_size=60)


@given(group)
@settings(max_examples=100, deadline=None)
def test_groups_that_are_not_told_are_five_people_together(groups: list[int]) -> None:
    size = np.bincount(np.array(groups, dtype=np.int64), minlength=6)
    few = too_few({name: size * (name == "leads") for name in COUNTS})
    assert set(np.flatnonzero((size > 0) & (size < LEAST)).tolist()) <= set(few)
    others = [i for i in range(6) if size[i] and i not in few]
    assert not few or size[few].sum() >= LEAST or not others


# -- on the page -------------------------------------------------------------------------------------------------------
def test_the_page_and_its_csv_follow_months_channel_and_segment_and_say_what_does_not(shop: Prepared) -> None:
    part, door = shop.edition.parts["won"], Visitor(shop.home)
    month = f"from={part.months[3]}&to={part.months[4]}"
    for query in (month, "channel=email", "segment=country:DE", month + "&channel=direct"):
        rows = list(
            csv.DictReader(io.StringIO(door.get(f"/insights/csv/overview/numbers?{query}").body.decode("utf-8-sig")))
        )
        wanted = shared_numbers(shop.edition, part, Choice.of(dict(p.split("=") for p in query.split("&")), "en")).rows
        assert [int(r["Leads"]) for r in rows] == [r["leads"] for r in wanted]
        assert len(rows) == 2
    channels = list(
        csv.DictReader(io.StringIO(door.get("/insights/csv/sources/channels?channel=email").body.decode("utf-8-sig")))
    )
    assert [r["Channel"] for r in channels] == ["email"]
    both = shared_numbers(shop.edition, part, Choice(channel="email", segment="country:DE"))
    assert (list(both.rows), "not of both at once" in both.note[0]) == ([], True)
    segment = view_of(shop.edition, "overview", Choice(segment="country:DE")).table("numbers")
    assert segment is not None
    assert all(row["visitors"] is None and row["cost_per_lead"] is None for row in segment.rows)
    late = view_of(shop.edition, "overview", Choice(start=part.months[-1]))  # nobody has matured, and numbers are told
    assert [b.table.id for b in late.blocks if isinstance(b, TableBlock)] == ["numbers"]
