"""Time on topics and numbers of visits of one month, channel or segment: adding up, and no few people by a difference."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.insights.band_tables import followed_bands
from serving.insights.choice import Choice
from serving.insights.edition import Part
from serving.insights.views import view_of
from serving.insights.words import word
from tests.insights import Prepared, Visitor, prepared
from training.cells import DIMENSIONS, may_tell
from training.prepared_names import ATTRIBUTES, LEAST


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("shop"))


def _choices(part: Part) -> dict[str, list[Choice]]:
    """One choice for each value of each dimension."""
    found = {a: [Choice(segment=f"{a}:{v}") for v in part.about["values"][a]] for a in ATTRIBUTES}
    found["channel"] = [Choice(channel=c) for c in part.about["values"]["channel"]]
    return found | {"month": [Choice(start=m, end=m) for m in part.months]}


def test_cells_of_any_dimension_add_up_to_the_table_of_everybody(shop: Prepared) -> None:
    for target, part in shop.edition.parts.items():
        for table, view in (("topics", "content"), ("touches", "paths")):
            names = part.about["topics"] if table == "topics" else [""]
            bands = part.about["bands"][table]
            found = view_of(shop.edition, view, Choice(target=target)).table(table)
            assert found is not None
            for dimension in DIMENSIONS:
                people = np.asarray(part.cells[f"{table}-{dimension}"]).sum(axis=3)
                everybody = {(n, b): people[:, i, j].tolist() for i, n in enumerate(names) for j, b in enumerate(bands)}
                shown = {(r.get("topic", ""), r["band" if table == "topics" else "touches"]): r for r in found.rows}
                assert {k: [r["people"], r["conversions"]] for k, r in shown.items()} == {
                    k: v for k, v in everybody.items() if v[0] >= LEAST
                }
                assert (people.sum(axis=2) == np.array([[len(part.people)], [part.people.conversions]])).all()


def test_what_is_told_of_a_choice_is_what_its_people_did(shop: Prepared) -> None:
    part, told = shop.edition.parts["won"], 0
    for choice in (c for choices in _choices(part).values() for c in choices):
        people = part.chosen(choice, part.people)
        (table,) = followed_bands(part, "paths", choice)
        if table.rows:
            told += 1
            assert 0 <= len(people) - sum(r["people"] for r in table.rows) < LEAST
            assert sum(r["conversions"] for r in table.rows) == people.conversions
    assert told > 5


def test_no_band_of_fewer_than_five_is_told_or_follows_from_the_others(shop: Prepared) -> None:
    """Of each band, what is told of all values of a dimension leaves out nobody or LEAST people and more."""
    part, left = shop.edition.parts["won"], 0
    whole = np.asarray(part.cells["topics-channel"])[0].sum(axis=2)
    for choices in _choices(part).values():
        rows = [r for c in choices for r in followed_bands(part, "content", c)[0].rows]
        assert all(r["people"] >= LEAST for r in rows)
        for i, topic in enumerate(part.about["topics"]):
            for j, band in enumerate(part.about["bands"]["topics"]):
                rest = whole[i, j] - sum(r["people"] for r in rows if (r["topic"], r["band"]) == (topic, band))
                assert rest == 0 or rest >= LEAST or whole[i, j] < LEAST
                left += rest > 0
    assert left


@given(st.lists(st.lists(st.integers(0, 12), min_size=4, max_size=4), min_size=2, max_size=5))
@settings(max_examples=200, deadline=None)
def test_values_that_are_not_told_are_several_and_hide_each_other_in_every_band(table: list[list[int]]) -> None:
    people = np.array(table, dtype=np.int64)
    told = may_tell(people)
    assert not ((people[:, told] > 0) & (people[:, told] < LEAST)).any()
    together = people[:, ~told].sum(axis=1)
    some = (people.sum(axis=0) > 0) & told
    assert not some.any() or told.all() or ((~told).sum() > 1 and not ((together > 0) & (together < LEAST)).any())


def test_the_page_and_its_csv_follow_one_dimension_and_say_so_where_they_do_not(shop: Prepared) -> None:
    part, door = shop.edition.parts["won"], Visitor(shop.home)
    choice = next(c for c in _choices(part)["channel"] if followed_bands(part, "paths", c)[0].rows)
    wanted = followed_bands(part, "paths", choice)[0].rows
    text = door.get(f"/insights/csv/paths/touches{choice.url()}").body.decode("utf-8-sig")
    assert [int(r["People"]) for r in csv.DictReader(io.StringIO(text))] == [r["people"] for r in wanted]
    both = view_of(shop.edition, "paths", replace(choice, start=part.months[2]))
    found = next(b for b in both.blocks if b.kind == "table" and b.table.id == "touches")
    assert (found.table.whole, found.note) == (True, word("whole", "en"))  # type: ignore[union-attr]
