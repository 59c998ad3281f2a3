"""Settings: order of the sources, origins, one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.dataset import DatasetInfo, SnapshotSpec
from data.dataset_file import dump
from data.errors import SettingsError
from data.records import DAY, MICROS
from data.settings import load_settings, origins


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("LEADLIFT_")]:
        monkeypatch.delenv(name)


def test_defaults_hold_without_any_source() -> None:
    settings = load_settings()
    assert settings.home == Path(".leadlift")
    assert (settings.snapshots.horizon_days, settings.gate.min_conversions, settings.data.reject_limit) == (
        30,
        300,
        0.1,
    )


def test_option_beats_environment_beats_file_beats_dataset_beats_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset = {"snapshots": {"horizon": "10d", "delay": "2min", "every": "1d", "max_per_lead": 3}}
    assert load_settings(dataset_toml=dataset).snapshots.horizon_days == 10
    assert load_settings(dataset_toml=dataset).snapshots.first_look_minutes == 2
    (tmp_path / "leadlift.toml").write_text("[snapshots]\nhorizon_days = 20\n")
    assert load_settings(dataset_toml=dataset).snapshots.horizon_days == 20
    monkeypatch.setenv("LEADLIFT_SNAPSHOTS__HORIZON_DAYS", "40")
    assert load_settings(dataset_toml=dataset).snapshots.horizon_days == 40
    chosen = load_settings(dataset_toml=dataset, options={"snapshots.horizon_days": 50, "data.buckets": None})
    assert chosen.snapshots.horizon_days == 50
    assert chosen.snapshots.max_per_lead == 3


def test_a_written_dataset_toml_is_understood() -> None:
    import tomllib

    spec = SnapshotSpec(delay=90 * MICROS, horizon=14 * DAY, reporting_delay=3 * DAY)
    document = tomllib.loads(dump(DatasetInfo("x", buckets=8, snapshots=spec)))
    settings = load_settings(dataset_toml=document)
    assert settings.snapshots.first_look_minutes == 1.5
    assert (settings.snapshots.horizon_days, settings.snapshots.reporting_delay_days) == (14, 3)
    assert settings.data.buckets == 8


def test_every_value_has_an_origin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text('[mlflow]\ntracking_uri = "postgresql://me:secret@host/db"\n')
    monkeypatch.setenv("LEADLIFT_HOME", "/somewhere")
    found = {s.name: s for s in origins(config)}
    assert found["home"].origin == "environment LEADLIFT_HOME"
    assert found["mlflow.tracking_uri"].origin == str(config)
    assert found["mlflow.tracking_uri"].value == "postgresql://me@host/db"
    assert found["serving.port"].origin == "default"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LEADLIFT_SERVING__PROT", "1", "Did you mean LEADLIFT_SERVING__PORT?"),
        ("LEADLIFT_SERVING__PORT", "many", "serving.port"),
        ("LEADLIFT_HOEM", "x", "Did you mean LEADLIFT_HOME?"),
        ("LEADLIFT_DATA__REJECT_LIMIT", "1.5", "data.reject_limit"),
    ],
)
def test_a_wrong_environment_name_or_value_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\nreject_limt = 0.2\n", "Did you mean data.reject_limit?"),
        ("[dat]\nx = 1\n", "unknown setting dat.x"),
        ("[data\n", "expected TOML"),
        ("[data]\nbuckets = 0\n", "data.buckets"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "s.toml"
    config.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(config)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_config_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--config"):
        load_settings(tmp_path / "none.toml")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().data.buckets = 3  # type: ignore[misc]
