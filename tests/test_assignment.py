"""Arms: the same in Python and in the page, whatever the order; halves; two experiments have nothing to do with each other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from data.errors import UsageError
from training.assignment import ARMS, arms_of, hashes, script_of

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "samples" / "experiment_arms.json").read_text("utf-8")
)
RARE = 1e-6  # chance that a test of chance fails though all is well
MANY = 20_000
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def test_python_gives_the_hashes_everybody_agreed_on() -> None:
    found = [int(hashes(v["name"], [v["id"]])[0]) for v in VECTORS]
    assert found == [v["hash"] for v in VECTORS]
    assert [ARMS[arms_of(v["name"], [v["id"]])[0]] for v in VECTORS] == [v["arm"] for v in VECTORS]
    assert {v["arm"] for v in VECTORS} == set(ARMS)


def test_the_script_of_the_page_gives_the_same_arms(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        lacks = "no node: apt-get install nodejs"
        pytest.fail(lacks) if "script" in os.environ.get("REQUIRED_TESTS", "") else pytest.skip(lacks)
    ask = f"console.log(JSON.stringify({json.dumps(VECTORS)}.map(v => leadliftArm(v.id, v.name))));"
    (tmp_path / "page.js").write_text(script_of("pricing-link") + ask, encoding="utf-8")
    done = subprocess.run([node, str(tmp_path / "page.js")], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [v["arm"] for v in VECTORS]


def test_the_script_is_short_and_asks_for_its_own_experiment() -> None:
    script = script_of("pricing-link")
    assert len(script.splitlines()) <= 15
    assert 'name = "pricing-link"' in script


@given(st.lists(texts, max_size=12), st.randoms())
def test_an_arm_depends_on_the_id_alone(ids: list[str], chance: Any) -> None:
    alone = {i: int(arms_of("x", [i])[0]) for i in ids}
    chance.shuffle(ids)
    assert arms_of("x", ids).tolist() == [alone[i] for i in ids]


@pytest.mark.parametrize("kind", ["v{:08d}", "{:x}", "GA1.2.{}.1700000000", "lead-{}@x"])
def test_arms_are_halves_for_ids_that_count_up(kind: str) -> None:
    treated = [int(arms_of(name, [kind.format(i) for i in range(MANY)]).sum()) for name in ("a", "b", "pricing-link")]
    assert min(binomtest(t, MANY, 0.5).pvalue for t in treated) > RARE


def test_the_arms_of_two_experiments_have_nothing_to_do_with_each_other() -> None:
    ids = [f"v{i:08d}" for i in range(MANY)]
    same = [int((arms_of(a, ids) == arms_of(b, ids)).sum()) for a, b in (("a", "b"), ("test-1", "test-2"), ("a", "aa"))]
    assert min(binomtest(s, MANY, 0.5).pvalue for s in same) > RARE


@pytest.mark.parametrize("name", ["", "Big", "a b", "-a", "a-", '"x"', "../x", "x" * 41, "ä"])
def test_a_name_that_cannot_be_in_a_script_or_a_file_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected up to 40 small letters"):
        script_of(name)


def test_no_ids_have_no_arms() -> None:
    assert arms_of("x", []).dtype == np.int8
    assert len(arms_of("x", [])) == 0
