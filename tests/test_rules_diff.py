"""`leadlift rules diff`: who changes between two points files, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.dataset import open_dataset
from data.packaged import rules_text
from tests.conftest import Market
from training.rules import SALES_READY, Rules, score_points
from training.rules_diff import difference
from training.rules_rows import everybody, standings
from training.run import moment_of

OLD = rules_text()
POINTS = OLD.replace("points: 15\n", "points: 4\n").replace("points: 6\n    cap: 18", "points: 16\n    cap: 38")
STEPS = OLD.replace("{A: 30, B: 18, C: 8}", "{A: 25, B: 12, C: 2}")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    folder = tmp_path_factory.mktemp("points")

    def write(text: str) -> str:
        path = folder / f"{abs(hash(text))}.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="module")
def run(leadlift_at: Callable[[], Any]) -> Any:
    return leadlift_at()


@pytest.fixture
def found(run: Any, files: Callable[[str], str], market: Market) -> dict[str, Any]:
    code, document, said = run("rules", "diff", files(OLD), files(POINTS), "--dataset", str(market.dataset.path))
    assert code == 0
    assert "Next:" in said
    return dict(document)


def test_transitions_are_those_of_the_points_themselves(found: dict[str, Any], market: Market) -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    before, after = Rules.from_yaml(OLD), Rules.from_yaml(POINTS)
    newly = fallen = leads = 0
    for ids, moment in everybody(market.dataset, moment_of(market.dataset, None), False):
        a, b = score_points(before, moment), score_points(after, moment)
        pairs.update((x, y) for x, y in zip(a.grades(), b.grades(), strict=True) if x != y)
        was, is_ = standings(before, a) == SALES_READY, standings(after, b) == SALES_READY
        newly, fallen, leads = newly + int((is_ & ~was).sum()), fallen + int((was & ~is_).sum()), leads + len(ids)
    assert {(t["from"], t["to"]): t["leads"] for t in found["transitions"]} == dict(pairs)
    assert pairs
    assert (found["newly_ready"], found["fallen"], found["leads"]) == (newly, fallen, leads)


def test_channels_and_stages_add_up(found: dict[str, Any]) -> None:
    for name in ("leads", "ready_before", "newly_ready", "fallen"):
        assert sum(c[name] for c in found["channels"]) == found[name]
    assert sum(s["leads"] for s in found["stages"]) == found["leads"]
    assert found["ready_before"] + found["newly_ready"] - found["fallen"] == found["ready_after"]
    assert found["newly_ready"] > 0


def test_the_lines_of_a_mover_add_up_to_its_move_and_the_largest_come_first(found: dict[str, Any]) -> None:
    moves = [m["new_total"] - m["old_total"] for m in found["movers"]]
    assert [sum(e["new"] - e["old"] for e in m["entries"]) for m in found["movers"]] == moves
    assert [abs(m) for m in moves] == sorted((abs(m) for m in moves), reverse=True)
    assert all(moves)
    assert {e["code"].split(":")[0] for m in found["movers"] for e in m["entries"]} <= {
        "pricing",
        "decision_maker",
        "limit",
    }


def test_what_was_changed_in_the_files_is_told(found: dict[str, Any]) -> None:
    assert found["rules"] == ["decision_maker: points 15 -> 4", "pricing: points 6 -> 16", "pricing: cap 18 -> 38"]


def test_groups_of_people_do_not_change_the_answer(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = Rules.from_yaml(OLD), Rules.from_yaml(POINTS)
    dataset = open_dataset(market.dataset.path)
    as_of = moment_of(dataset, None)
    whole = difference(dataset, before, after, as_of).document()
    walk = type(dataset).people
    monkeypatch.setattr(type(dataset), "people", lambda self, max_events=0: walk(self, 1))
    assert difference(dataset, before, after, as_of).document() == whole


def test_thresholds_alone_move_no_total(run: Any, files: Callable[[str], str], market: Market) -> None:
    _, found, _ = run("rules", "diff", files(OLD), files(STEPS), "--dataset", str(market.dataset.path))
    assert found["by_thresholds"] == found["changed_grade"] > 0
    assert found["movers"] == []


def test_a_file_against_itself_changes_nobody(run: Any, files: Callable[[str], str], market: Market) -> None:
    _, found, said = run("rules", "diff", files(OLD), files(OLD), "--dataset", str(market.dataset.path))
    assert (found["rules"], found["changed_grade"], found["newly_ready"], found["fallen"]) == ([], 0, 0, 0)
    assert "the files give the same points" in said


def test_rules_that_come_and_go_are_told_and_counted(run: Any, files: Callable[[str], str], market: Market) -> None:
    fewer = OLD.replace("code: business_mail", "code: work_mail")
    _, found, _ = run("rules", "diff", files(OLD), files(fewer), "--dataset", str(market.dataset.path))
    assert found["rules"] == ["business_mail: removed", "work_mail: added with +5 points"]
    assert found["movers"] == []


def test_leads_that_had_not_come_yet_are_not_counted(run: Any, files: Callable[[str], str], market: Market) -> None:
    _, every, _ = run("rules", "diff", files(OLD), files(POINTS), "--dataset", str(market.dataset.path))
    words = ("rules", "diff", files(OLD), files(POINTS), "--dataset", str(market.dataset.path), "--as-of", "2026-07-08")
    code, some, _ = run(*words)
    assert code == 0
    assert 0 < some["leads"] < every["leads"]


def test_a_table_without_times_is_compared_too(run: Any, files: Callable[[str], str], timeless: Market) -> None:
    code, found, _ = run("rules", "diff", files(OLD), files(POINTS), "--dataset", str(timeless.dataset.path))
    assert code == 0
    assert [c["channel"] for c in found["channels"]] == ["no visit"]
    assert found["changed_grade"] > 0


@pytest.mark.parametrize(
    ("new", "more", "code", "what"),
    [
        (None, (), 2, "expected a points file, got none there"),
        ("version: 1", (), 1, "(version): expected a text in quotes"),
        (OLD, ("--as-of", "2036-01-01"), 2, "expected a moment up to the data's end"),
        (OLD, ("--as-of", "soon"), 2, "--as-of: expected a moment such as"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    run: Any, files: Callable[[str], str], market: Market, new: str | None, more: tuple[str, ...], code: int, what: str
) -> None:
    path = "none.yaml" if new is None else files(OLD if new == OLD else rules_text().replace('version: "2026-1"', new))
    got, found, said = run("rules", "diff", files(OLD), path, "--dataset", str(market.dataset.path), *more)
    assert (got, found) == (code, {})
    assert what in said
    assert len(said.strip().splitlines()) == 1


def test_a_folder_that_is_no_dataset_is_one_line(run: Any, files: Callable[[str], str], tmp_path: Path) -> None:
    code, _, said = run("rules", "diff", files(OLD), files(POINTS), "--dataset", str(tmp_path))
    assert (code, len(said.strip().splitlines())) == (1, 1)
