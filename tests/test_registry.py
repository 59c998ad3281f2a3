"""Promotion and rollback: one truth, re-runnable, never half done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.errors import BundleError, InputError, UsageError, Verdict
from training import registry
from training.bundle import Bundle, make_bundle

AT = "2026-11-01T10:00:00+00:00"


@pytest.fixture
def versions(market: Any) -> list[Bundle]:
    """Three bundles that differ in their card."""
    texts = {n: t for n, t in market.bundle.files.items() if n != "manifest.json"}
    about = {k: v for k, v in market.bundle.manifest.items() if k not in ("files", "format")}
    return [make_bundle(texts | {"card.md": f"card {i}\n"}, about) for i in range(3)]


def _keep(home: Path, bundles: list[Bundle], open_: bool = True) -> tuple[str, str]:
    for bundle in bundles:
        gate = {"open": open_, "reasons": [] if open_ else ["worse than the points"]}
        registry.keep(home, bundle, {"gate": gate, "bundle": {"sha256": bundle.name}})
    return bundles[0].market, bundles[0].target


def test_a_promoted_version_is_current_and_has_the_alias(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions)
    aliases: list[str] = []
    release = registry.promote(tmp_path, market, target, versions[0].version, AT, aliases.append)
    assert registry.current(tmp_path, market, target) == release
    assert aliases == [versions[0].version]
    assert registry.current_bundle(tmp_path, market, target).name == versions[0].name  # type: ignore[union-attr]


def test_rollback_returns_step_by_step_and_stops_at_the_first(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions)
    for bundle in versions:
        registry.promote(tmp_path, market, target, bundle.version, AT, lambda v: None)
    back = [registry.rollback(tmp_path, market, target, AT, lambda v: None).version for _ in range(2)]
    assert back == [versions[1].version, versions[0].version]
    with pytest.raises(Verdict, match="no earlier release"):
        registry.rollback(tmp_path, market, target, AT, lambda v: None)


def test_a_closed_gate_keeps_the_version_from_serving(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:1], open_=False)
    with pytest.raises(Verdict, match="worse than the points"):
        registry.promote(tmp_path, market, target, versions[0].version, AT, lambda v: None)
    assert registry.current(tmp_path, market, target) is None


def test_a_damaged_version_is_refused_and_the_old_one_serves_on(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:2])
    registry.promote(tmp_path, market, target, versions[0].version, AT, lambda v: None)
    (registry.place(tmp_path, market, target) / "bundles" / versions[1].version / "card.md").write_text("other")
    with pytest.raises(BundleError):
        registry.promote(tmp_path, market, target, versions[1].version, AT, lambda v: None)
    assert registry.current(tmp_path, market, target).version == versions[0].version  # type: ignore[union-attr]


def test_a_promotion_that_died_can_be_run_again(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:1])

    def dies(version: str) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        registry.promote(tmp_path, market, target, versions[0].version, AT, dies)
    assert registry.current(tmp_path, market, target) is None
    registry.promote(tmp_path, market, target, versions[0].version, AT, lambda v: None)
    assert [e["step"] for e in registry.history(tmp_path, market, target)] == ["intent", "intent", "done"]


def test_a_history_line_cut_by_a_crash_is_left_out_and_the_next_is_whole(
    tmp_path: Path, versions: list[Bundle]
) -> None:
    market, target = _keep(tmp_path, versions[:1])
    file = registry.place(tmp_path, market, target) / "history.jsonl"
    file.write_text('{"at": "x", "step": "int')
    registry.promote(tmp_path, market, target, versions[0].version, AT, lambda v: None)
    assert [e["step"] for e in registry.history(tmp_path, market, target)] == ["intent", "done"]


def test_an_unreadable_current_is_an_input_error(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:1])
    (registry.place(tmp_path, market, target) / "current.json").write_text(json.dumps({"version": "x"}))
    with pytest.raises(InputError, match="promote"):
        registry.current(tmp_path, market, target)


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b"])
def test_a_market_is_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="plain name"):
        registry.current(tmp_path, name, "converted")


def test_an_unknown_version_is_a_usage_error(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:1])
    with pytest.raises(UsageError, match="leadlift models"):
        registry.promote(tmp_path, market, target, "0" * 12, AT, lambda v: None)


def test_a_rollback_that_died_is_finished_not_repeated(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions)
    for bundle in versions:
        registry.promote(tmp_path, market, target, bundle.version, AT, lambda v: None)
    file = registry.place(tmp_path, market, target) / "history.jsonl"
    registry.rollback(tmp_path, market, target, AT, lambda v: None)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-1]) + "\n")  # the power went between current.json and done
    assert registry.rollback(tmp_path, market, target, AT, lambda v: None).version == versions[1].version
    assert registry.rollback(tmp_path, market, target, AT, lambda v: None).version == versions[0].version


def test_a_folder_that_holds_another_bundle_is_not_promoted(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:2])
    root = registry.place(tmp_path, market, target) / "bundles"
    for file in (root / versions[0].version).iterdir():
        (root / versions[1].version / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BundleError, match="expected the bundle"):
        registry.promote(tmp_path, market, target, versions[1].version, AT, lambda v: None)


def test_a_damaged_release_is_written_anew_by_the_next_promotion(tmp_path: Path, versions: list[Bundle]) -> None:
    market, target = _keep(tmp_path, versions[:1])
    release = registry.promote(tmp_path, market, target, versions[0].version, AT, lambda v: None)
    (release.path / "card.md").write_text("torn")
    registry.promote(tmp_path, market, target, versions[0].version, AT, lambda v: None)
    assert registry.current_bundle(tmp_path, market, target).name == versions[0].name  # type: ignore[union-attr]
