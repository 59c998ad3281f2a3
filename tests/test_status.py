"""`leadlift status`: each step of the chain is found where it leaves its trace, and told stale, stopped or broken."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from data.store.database import url_of
from serving.champion import champion
from serving.rescore import Candidate, How, Job, Target, rescore
from serving.scorer import Wants
from tests.conftest import Leadlift, Market

HOUR = 3600


class Chain:
    """A market after its night: trained, imported, rescored, published, written back. status() says what is found."""

    def __init__(self, market: Market, folder: Path) -> None:
        self.market, self.folder = market, folder
        self.dataset, self.scores, home = folder / "dataset", folder / "scores", folder / "home"
        shutil.copytree(Path(market.dataset.place), self.dataset)
        shutil.copytree(market.settings.home, home)
        self.place = home / market.name / "converted"
        self.bundle = self.place / "bundles" / f"{market.bundle.version}.json"
        self.bundle.write_text(json.dumps(json.loads(self.bundle.read_text()) | {"dataset_path": str(self.dataset)}))
        self.leadlift = Leadlift(home, {})
        code, _, said = self.leadlift("rescore", str(self.dataset), "--out", str(self.scores), "--as-of", "2026-09-22")
        assert code == 0, said
        self.crm = self.place / "writeback-salesforce-Lead.json"
        self.tell(None)

    def tell(self, stopped: str | None, hours: float = 0) -> None:
        """The note of a write-back."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - hours * HOUR))
        counts = {"leads": 9, "unchanged": 4, "changed": 5, "sent": 4, "failed": 1, "skipped": 0}
        self.crm.write_text(json.dumps({"finished_at": at, "scores": "first", "stopped": stopped, **counts}))

    def status(self, *words: str) -> tuple[int, dict[str, dict[str, Any]], str]:
        code, document, said = self.leadlift("status", *words)
        return code, {s["step"]: s for s in document.get("steps", ())}, said

    def verdicts(self, *words: str) -> dict[str, str]:
        return {name: step["verdict"] for name, step in self.status(*words)[1].items()}


STEPS = ["import", "train", "rescore", "publish", "write-back salesforce-Lead"]


@pytest.fixture
def chain(market: Market, tmp_path: Path) -> Chain:
    return Chain(market, tmp_path)


def _aged(file: Path, hours: float) -> None:
    moment = time.time() - hours * HOUR
    os.utime(file, (moment, moment))


def test_after_a_night_all_is_fresh_without_a_word_of_where_things_are(chain: Chain) -> None:
    code, steps, said = chain.status()
    assert (code, list(steps)) == (0, STEPS), said
    assert {s["verdict"] for s in steps.values()} == {"fresh"}
    assert all(0 <= s["age_seconds"] < HOUR for s in steps.values())
    assert steps["publish"]["counts"]["scored"] == steps["publish"]["counts"]["leads"] == 90
    assert steps["import"]["counts"]["leads"] >= 90
    assert steps["write-back salesforce-Lead"]["counts"] == {"changed": 5, "sent": 4, "failed": 1, "skipped": 0}
    assert chain.market.bundle.version in steps["train"]["what"]
    assert "nothing: all is fresh" in said


@pytest.mark.parametrize("step", ["import", "train", "publish", "write-back salesforce-Lead"])
def test_a_step_that_is_too_old_is_the_one_that_is_named(chain: Chain, step: str) -> None:
    aged = {"import": chain.dataset / "dataset.toml", "train": chain.bundle, "publish": chain.scores / "current.json"}
    hours = 24 * 121 if step == "train" else 27
    chain.tell(None, hours) if step not in aged else _aged(aged[step], hours)
    code, steps, said = chain.status()
    assert (code, [n for n, s in steps.items() if s["verdict"] != "fresh"]) == (3, [step])
    assert steps[step]["verdict"] == "stale"
    assert f"{step} is stale: {'121d 0h' if step == 'train' else '1d 3h'} old" in said
    assert chain.verdicts("--max-age", "28h")[step] == ("stale" if step == "train" else "fresh")


def test_a_run_that_was_not_published_is_told_and_the_old_set_goes_stale(chain: Chain) -> None:
    def refuse(candidate: Candidate) -> dict[str, Any]:
        raise KeyboardInterrupt

    job = Job(chain.market.dataset, champion(chain.market.settings, chain.market.name), chain.market.as_of, Wants())
    _aged(chain.scores / "current.json", 30)
    with pytest.raises(KeyboardInterrupt):
        rescore(job, Target(chain.scores), How(gate=refuse))
    code, steps, _ = chain.status()
    assert code == 3
    assert (steps["rescore"]["verdict"], steps["publish"]["verdict"]) == ("fresh", "stale")
    assert job.run in steps["rescore"]["what"]
    assert steps["rescore"]["counts"] == {"parts": job.dataset.info.buckets}


def test_a_write_back_that_stopped_is_not_fresh_and_one_that_never_was_is_no_fault(chain: Chain) -> None:
    chain.tell("expired_token")
    code, steps, said = chain.status()
    assert (code, steps[STEPS[-1]]["verdict"]) == (3, "stopped")
    assert "expired_token" in said
    chain.crm.unlink()
    code, steps, _ = chain.status()
    assert (code, steps["write-back"]["verdict"]) == (0, "not used")


def test_what_was_never_done_is_told_with_the_command_that_does_it(chain: Chain) -> None:
    shutil.rmtree(chain.place)
    code, steps, said = chain.status()
    assert code == 3
    assert {n: s["verdict"] for n, s in steps.items()} == dict.fromkeys(STEPS[:4], "never") | {"write-back": "not used"}
    assert "leadlift rescore DATASET --out SCORES" in said


def test_one_broken_file_leaves_the_other_steps_their_lines(chain: Chain) -> None:
    chain.crm.write_text("{")
    (chain.dataset / "dataset.toml").unlink()
    code, steps, _ = chain.status()
    broken = {n for n, s in steps.items() if s["verdict"] == "unreadable"}
    assert (code, broken) == (3, {"import", STEPS[-1]})
    assert "dataset.toml" in steps["import"]["what"]


def test_other_datasets_and_folders_are_looked_at_when_named(chain: Chain) -> None:
    url, other = url_of(chain.folder / "own.db"), chain.folder / "other.csv"
    assert chain.leadlift("import", str(chain.dataset), "--to", url)[0] == 0
    _, steps, _ = chain.status(url, "--market", chain.market.name, "--out", str(other))
    assert steps["import"]["counts"]["events"] > 1000
    assert steps["import"]["at"].startswith("2026-09-")
    assert (steps["rescore"]["verdict"], steps["publish"]["verdict"]) == ("never", "never")
    assert chain.leadlift("rescore", str(chain.dataset), "--out", str(other), "--as-of", "2026-09-22")[0] == 0
    assert chain.verdicts("--out", str(other))["publish"] == chain.verdicts()["publish"] == "fresh"


def test_an_age_that_is_none_is_a_usage_error(chain: Chain) -> None:
    code, _, said = chain.status("--max-age", "yesterday")
    assert (code, said.count("\n")) == (2, 1)
    assert "--max-age" in said
