"""`leadlift experiment plan|read`, and what `leadlift paths` learns from it, on leads whose conversions are planted by arm."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import open_dataset
from data.records import DAY
from data.settings import SnapshotSettings
from tests.visits import Seen, Won, write_visits
from training.assignment import arms_of
from training.experiments import Plan, experiment_of
from training.exposures import exposed_in
from training.periods import day
from training.snapshots import policy_of

POLICY = policy_of(SnapshotSettings())
DAY0, START, END = 20_000 * DAY, 20_120 * DAY, 20_400 * DAY
EARLIER, LATER, NAME = 600, 700, "home-prices"
BEFORE, CONTROL, TREATMENT = 0.3, 0.2, 0.6
PAGES = ("--first", "home", "--then", "pricing", "--by", "type")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Leads see the home page at some moment in days 1 to 60, or 120 to 170; two had seen prices before, one comes after it
    has converted; the last one is seen when the data ends."""
    rng = np.random.default_rng(5)
    n = EARLIER + LATER
    at = np.concatenate([DAY0 + DAY + rng.integers(0, 59 * DAY, EARLIER), START + rng.integers(0, 50 * DAY, LATER)])
    arm = arms_of(NAME, [f"l{i}" for i in range(n)])
    rate = np.where(np.arange(n) < EARLIER, BEFORE, np.where(arm == 1, TREATMENT, CONTROL))
    wins = np.flatnonzero(rng.random(n) < rate)
    seen: list[Seen] = [(i, "/", int(t)) for i, t in enumerate(at)]
    seen += [(n, "/pricing", START), (n, "/", START + 1), (n + 1, "/", START + DAY), (n + 2, "/", END)]
    won: list[Won] = [(i, int(at[i]) + 5 * DAY) for i in wins.tolist()] + [(n + 1, START)]
    return write_visits(tmp_path_factory.mktemp("experiment") / "visits", n + 3, DAY0, seen, won)


@pytest.fixture
def experiment(leadlift_at: Callable[[], Any], folder: Path, tmp_path: Path) -> Any:
    """The command in a fresh home, after a plan."""
    leadlift = leadlift_at()
    leadlift.plan = leadlift(
        "experiment", "plan", str(folder), NAME, *PAGES, "--as-of", day(START), "--effect", "1.5",
        "--script", str(tmp_path / "arm.js"), "--csv", str(tmp_path / "arms.csv"), "--unit", "lead",
    )  # fmt: skip
    leadlift.read = lambda *words: leadlift("experiment", "read", str(folder), NAME, *words)
    return leadlift


def test_a_plan_says_people_weeks_and_arms_and_is_kept(experiment: Any, tmp_path: Path) -> None:
    code, plan, said = experiment.plan
    assert code == 0
    assert plan["baseline"] == pytest.approx(BEFORE, abs=0.05)
    assert plan["people_per_week"] == pytest.approx(EARLIER * 40 / 59 / 8, rel=0.1)  # days 20 to 60 of eight weeks
    assert plan["weeks"] == -(-2 * plan["per_arm"] // plan["people_per_week"])
    assert plan["until"] - plan["start"] == plan["weeks"] * 7 * DAY
    assert "leadlift experiment read" in said
    kept = experiment_of(experiment.home, "visits", NAME)
    assert json.loads(json.dumps(kept.document()))["plan"] == {n: plan[n] for n in kept.document()["plan"]}
    rows = list(csv.DictReader((tmp_path / "arms.csv").read_text().splitlines()))
    names = np.array(["control", "treatment"])[arms_of(NAME, [r["id"] for r in rows])]
    assert [r["arm"] for r in rows] == names.tolist()
    assert len(rows) == EARLIER + LATER + 3
    assert f'name = "{NAME}"' in (tmp_path / "arm.js").read_text()


def test_script_and_arms_of_a_plan_are_written_again_and_the_plan_stays(
    experiment: Any, folder: Path, tmp_path: Path
) -> None:
    kept = experiment_of(experiment.home, "visits", NAME)
    again = ("experiment", "plan", str(folder), NAME, "--unit", "lead", "--script", str(tmp_path / "again.js"))
    code, found, said = experiment(*again, *PAGES, "--effect", "3", "--csv", str(tmp_path / "again.csv"))
    assert (code, found["per_arm"], "again.js" in said) == (0, kept.plan.per_arm, True)
    for name in ("js", "csv"):
        first = tmp_path / ("arm.js" if name == "js" else "arms.csv")
        assert (tmp_path / f"again.{name}").read_bytes() == first.read_bytes()
    assert experiment_of(experiment.home, "visits", NAME) == kept
    code, _, said = experiment(*again, "--first", "blog", "--then", "pricing", "--by", "type")
    assert (code, "planned already" in said) == (2, True)


def test_a_reading_covers_what_was_planted_and_paths_learn_from_it(experiment: Any, folder: Path) -> None:
    code, found, _ = experiment.read()
    assert (code, found["verdict"]) == (0, "read")
    assert found["difference_low"] < TREATMENT - CONTROL < found["difference_high"]
    assert found["difference_low"] > 0
    assert experiment_of(experiment.home, "visits", NAME).reading is not None
    code, paths, _ = experiment("paths", str(folder), "--landmark", "90")
    assert (code, paths["hypotheses"]) == (0, [])  # nobody saw prices after the home page


def test_it_is_about_people_who_can_still_be_led_there(folder: Path) -> None:
    plan = Plan(NAME, "won", "home", "pricing", "type", ("home", "pricing"), "lead", START, END, 30, *[0.1] * 5, 1, 1)
    whole = [(START, START + 60 * DAY)]
    (found,) = exposed_in(open_dataset(folder), plan, POLICY, END, whole)
    assert len(found) == LATER
    assert (
        found.people().tolist()
        == np.bincount(arms_of(NAME, [f"l{i}" for i in range(EARLIER, EARLIER + LATER)])).tolist()
    )


def test_too_early_and_other_arms_end_with_a_verdict(experiment: Any, tmp_path: Path) -> None:
    code, found, said = experiment.read("--as-of", day(START + 60 * DAY))
    assert (code, found["verdict"], "Answers are final on" in said) == (3, "too early", True)
    (tmp_path / "given.csv").write_text("id,arm\n" + "".join(f"l{i},control\n" for i in range(50)))
    code, found, said = experiment.read("--delivered", str(tmp_path / "given.csv"))
    assert (code, found["verdict"], found["arms"], "another arm" in said) == (3, "broken", [], True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("plan", NAME, *PAGES), 2, "planned already"),
        (("plan", "Big Name", *PAGES), 2, "expected up to 40 small letters"),
        (("plan", "new", *PAGES, "--unit", "cookie"), 2, "expected one of visitor, lead"),
        (("plan", "new", *PAGES, "--effect", "9"), 2, "--effect: expected a rate between"),
        (("plan", "new", *PAGES, "--effect", "1"), 2, "--effect: expected a rate between"),
        (("plan", "new", "--first", "nothing", "--then", "pricing"), 3, "got 0 and 0"),
        (("read", "unknown"), 2, "expected an experiment of visits (home-prices)"),
        (("read", NAME, "--delivered", "missing.csv"), 2, "expected a CSV in UTF-8"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    experiment: Any, folder: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    as_of = ("--as-of", day(START)) if words[0] == "plan" else ()
    got, _, said = experiment("experiment", words[0], str(folder), *words[1:], *as_of)
    assert (got, message in said, "Traceback" in said) == (code, True, False)


def test_a_damaged_record_is_named(experiment: Any, folder: Path) -> None:
    file = experiment.home / "visits" / "experiments" / f"{NAME}.json"
    file.write_text('{"plan": {"name": 1}, "reading": null}')
    code, _, said = experiment.read()
    assert (code, str(file) in said, "Restore the file" in said) == (1, True, True)
