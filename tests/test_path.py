"""The path families: contents, types, topics and stages in the order they were seen."""

from __future__ import annotations

import math

from tests.cases import LEADS, Row, event, feature_set_on, random_case, values_of

TOUR = ["/blog/crm/a", "/blog/crm/a", "/case/x", "/pricing", "/blog/ads/b", "/pricing/eu", "/demo"]


def _walk(paths: list[str], **fitted: list[str]) -> Row:
    return values_of([event(10 - i, path) for i, path in enumerate(paths)], **fitted)


def test_the_path_merges_repeats_and_counts_returns() -> None:
    values = _walk(TOUR)
    assert (values["path_length"], values["contents_distinct"], values["loops"]) == (6, 5, 1)
    assert (values["types_distinct"], values["topics_distinct"]) == (4, 2)


def test_stages_and_steps_to_a_decision() -> None:
    values = _walk(TOUR)
    assert [values[f"stage_views[{s}]"] for s in ("awareness", "consideration", "decision")] == [3, 1, 3]
    assert (values["to_decision"], values["decision_views_28d"], values["days_since_decision"]) == (1, 3, 4.0)
    assert math.isnan(_walk(["/"])["days_since_decision"])


def test_prices_are_found_and_dated() -> None:
    values = values_of([event(40, "/pricing"), event(30, "/"), event(1, "/pricing")])
    assert (values["pricing_views"], values["pricing_views_28d"], values["steps_to_pricing"]) == (2, 1, 0)
    assert _walk(TOUR)["steps_to_pricing"] == 2
    assert math.isnan(_walk(["/"])["steps_to_pricing"])


def test_kinds_of_pages_are_counted() -> None:
    values = _walk([*TOUR, "/jobs", "/guide"], type_views=["blog", "guide", "webinar"], topic_views=["crm"])
    assert [values[f"{kind}_views"] for kind in ("demo", "case", "careers")] == [1, 1, 1]
    assert values["gated_distinct"] == 1
    assert [values[f"type_views[{t}]"] for t in ("blog", "guide", "webinar")] == [3, 1, 0]
    assert values["topic_views[crm]"] == 3


def test_concentration_is_the_share_of_the_favourite_topic() -> None:
    assert _walk(TOUR)["topic_concentration"] == 0.75
    assert math.isnan(_walk(["/", "/pricing"])["topic_concentration"])


def test_depth_is_of_the_deepest_session() -> None:
    visits = [event(5, "/"), event(4.999, "/demo"), event(4.998, "/"), event(1, "/pricing")]
    assert values_of(visits)["session_depth"] == 2
    assert values_of([event(1, type="form")])["session_depth"] == 0
    assert math.isnan(values_of([])["session_depth"])


def test_the_first_and_last_page_are_named() -> None:
    values = _walk(TOUR, entry_type=["blog"], last_type=["blog"], last_content=["demo"])
    assert values["entry_type[blog]"] == values["last_type[other]"] == values["last_content[demo]"] == 1
    assert values_of([], entry_type=["blog"])["entry_type[missing]"] == 1


def test_two_types_in_a_row_are_a_2gram_also_where_a_page_is_repeated() -> None:
    pairs = ["blog>case", "case>pricing", "blog>pricing", "case>demo", "pricing>webinar"]
    values = _walk(TOUR, path_2gram=pairs)
    assert [values[f"path_2gram[{p}]"] for p in pairs] == [1, 1, 1, 0, 0]


def test_order_on_the_path_is_not_the_same_as_both_seen() -> None:
    pairs = ["case>pricing", "pricing>case", "webinar>pricing"]
    assert [_walk(TOUR, path_order=pairs)[f"path_order[{p}]"] for p in pairs] == [1, 0, 0]
    assert [_walk(["/pricing", "/case/x"], path_order=pairs)[f"path_order[{p}]"] for p in pairs] == [0, 1, 0]


def test_a_pair_needs_enough_rows_to_get_a_column() -> None:
    few = feature_set_on(random_case(3, asks=LEADS))
    assert few.fitted["path_2gram"] == few.fitted["path_order"] == few.fitted["type_views"] == {"values": []}
    assert few.fitted["industry"] == {"values": []}
