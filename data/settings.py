"""Settings: option, environment, `leadlift.toml`, `dataset.toml`, defaults, in this order; frozen once read.

Environment names are `LEADLIFT_<SECTION>__<KEY>`; `LEADLIFT_HOME` and secrets have names of their own.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from data.errors import SettingsError
from data.redact import without_passwords

PREFIX = "LEADLIFT_"
SECRETS = ("EMAIL_HASH_KEY", "SALESFORCE_TOKEN", "HUBSPOT_TOKEN")
OWN_NAMES = ("HOME", *SECRETS)
# How dataset.toml names what these settings also name; there in durations such as "30d".
DATASET_NAMES = {
    "delay": ("first_look_minutes", 60), "every": ("every_days", 86_400), "horizon": ("horizon_days", 86_400),
    "reporting_delay": ("reporting_delay_days", 86_400),
    "cancellation_window": ("cancellation_window_days", 86_400),
}  # fmt: skip


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(_Section):
    """Reading and keeping data."""

    public_dir: Path = Path("../shared/datasets")
    reject_limit: float = Field(0.10, ge=0, le=1)
    buckets: int = Field(64, ge=1, le=4096)
    late_share_limit: float = Field(0.05, ge=0, le=1)
    late_days: int = Field(7, ge=0)
    max_parts: int = Field(8, ge=1)


class SnapshotSettings(_Section):
    """When leads are looked at and what is asked of them.

    policy: `weekly`, or `after_first_event` for one look at the first event + the delay (first_look_minutes).
    exclude_if_seen: contents by id; who saw one is not looked at any more (in the environment with commas between).
    max_snapshots: what a training reads at most; its time and memory grow with it (100,000 leads have ten times as many).
    """

    policy: Literal["weekly", "after_first_event"] = "weekly"
    exclude_if_seen: tuple[str, ...] = ()
    first_look_minutes: float = Field(5, ge=0)
    every_days: float = Field(7, gt=0)
    max_per_lead: int = Field(26, ge=1)
    idle_days: int = Field(90, ge=1)
    horizon_days: int = Field(30, ge=1)
    reporting_delay_days: int = Field(2, ge=0)
    cancellation_window_days: int = Field(14, ge=0)
    max_snapshots: int = Field(150_000, ge=1)

    @field_validator("exclude_if_seen", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return tuple(t.strip() for t in given.split(",") if t.strip()) if isinstance(given, str) else given


class TrainingSettings(_Section):
    """Learning and judging.

    target: what is predicted where a command is not told by --target: `converted`, `accepted` (or another kind of
    outcome), or `next_order`, the next conversion of a customer.
    """

    target: str = Field("converted", min_length=1)
    seed: int = Field(0, ge=0)
    threads: int = Field(2, ge=1)
    judging_share: float = Field(0.2, gt=0, lt=1)
    trials: int = Field(8, ge=1)
    bootstrap: int = Field(200, ge=1)
    refits: int = Field(10, ge=2)
    judging_salt: str = Field("leadlift-judging", min_length=1)
    # Earlier deals and the account: only where whoever asks for a score has the dataset, as a rescoring does.
    context: bool = False


class GateSettings(_Section):
    """What a model must reach to be promoted."""

    min_conversions: int = Field(300, ge=0)
    ece_tolerance: float = Field(0.02, ge=0)
    slice_tolerance: float = Field(0.05, ge=0)
    max_auc_single: float = Field(0.95, gt=0.5, le=1)
    # Leaks of columns and feeds: known only after the outcome, filled for the converted, arrived after the outcome.
    max_filled_after: float = Field(0.5, gt=0, le=1)
    max_fill_gap: float = Field(0.5, gt=0, le=1)
    max_arrived_after: float = Field(0.05, gt=0, le=1)
    # Leads a promotion may make sales-ready: below 1 a share of those that are ready (10 always may), else a number.
    max_newly_ready: float = Field(0.5, ge=0)


class RescoreSettings(_Section):
    """Scoring all leads. history_step: how far a probability moves before history gets a row.

    spark_master: where `--engine spark` runs, such as `yarn` or `spark://host:7077`; null = this machine.
    """

    history_step: float = Field(0.05, ge=0, le=1)
    spark_master: str | None = Field(None, min_length=1)


class ServingSettings(_Section):
    """The service and its limits.

    store: the URL of the store; null = store.db in the home. store_seconds: how long an answer waits for it.
    max_concurrent: requests at once; max_rate: requests a second, of all callers together. Above either it is a 429.
    """

    host: str = "127.0.0.1"
    port: int = Field(3000, ge=1, le=65_535)
    store: str | None = Field(None, min_length=1, repr=False)
    store_seconds: float = Field(1.0, gt=0)
    max_body_bytes: int = Field(1_000_000, ge=1)
    max_events: int = Field(10_000, ge=1)
    max_batch: int = Field(200, ge=1)
    max_concurrent: int = Field(32, ge=1)
    max_rate: float = Field(500.0, gt=0, allow_inf_nan=False)


class ApiSettings(_Section):
    """What callers may send. unknown_fields: `refuse` them (400), or leave them out and `warn`."""

    unknown_fields: Literal["refuse", "warn"] = "refuse"


class PrivacySettings(_Section):
    """What may be used."""

    require_consent: bool = False


class MonitorSettings(_Section):
    """When the monitor raises an alarm that is a matter of taste; what noise does is measured, not set."""

    max_model_age_days: int = Field(120, ge=1)


class PublishSettings(_Section):
    """How far a rescoring may lie from the last published set, one night after it; n nights after it sqrt(n) times as far.

    max_grade_changes: share of leads with another grade (10 leads always may). max_mean_change: of the mean probability,
    relative to what it was. Feeds that are dead, thin, doubled or renamed are not a matter of taste, see monitor.
    """

    max_grade_changes: float = Field(0.10, gt=0)
    max_mean_change: float = Field(0.25, gt=0)


class WritebackSettings(_Section):
    """What CRMs are told, and where they are. Their tokens are in the environment alone.

    fields: keys of the reply (in the environment with commas between). min_move: a probability that moved by no more
    since the CRM accepted it is no change. salesforce_id, hubspot_id: the CRM's field that holds our lead_id; `Id` and
    `hs_object_id` where lead_id is the CRM's own id.
    """

    fields: tuple[str, ...] = (
        "probability", "expected_value", "points", "grade", "stage", "sales_ready", "agreement", "interest_1",
        "interest_2", "reason_1", "reason_2", "reason_3", "data_quality", "model_version", "scored_at",
    )  # fmt: skip
    min_move: float = Field(0.01, ge=0, le=1)
    salesforce_url: str | None = Field(None, min_length=1)
    salesforce_id: str = Field("Leadlift_Lead_Id__c", min_length=1)
    hubspot_url: str = Field("https://api.hubapi.com", min_length=1)
    hubspot_id: str = Field("leadlift_lead_id", min_length=1)

    @field_validator("fields", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return tuple(t.strip() for t in given.split(",") if t.strip()) if isinstance(given, str) else given


class MlflowSettings(_Section):
    """Where runs are recorded; null = MLFLOW_TRACKING_URI, else an SQLite file in the home."""

    tracking_uri: str | None = Field(None, repr=False)


class Settings(BaseSettings):
    """All settings. Read them with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    home: Path = Path(".leadlift")
    data: DataSettings = DataSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    training: TrainingSettings = TrainingSettings()
    gate: GateSettings = GateSettings()
    rescore: RescoreSettings = RescoreSettings()
    serving: ServingSettings = ServingSettings()
    api: ApiSettings = ApiSettings()
    privacy: PrivacySettings = PrivacySettings()
    mlflow: MlflowSettings = MlflowSettings()
    monitor: MonitorSettings = MonitorSettings()
    publish: PublishSettings = PublishSettings()
    writeback: WritebackSettings = WritebackSettings()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` hands over: it reads every source itself, to know where each value is from."""
        return (init_settings,)


@dataclass(frozen=True)
class Setting:
    """One value and where it came from, for people."""

    name: str
    value: Any
    origin: str


Values = dict[str, Any]  # "section.key" -> raw value


def load_settings(
    config: Path | None = None, dataset_toml: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings.

    Parameters
    ----------
    config
        a settings file; None = `./leadlift.toml` where there is one.
    dataset_toml
        the parsed `dataset.toml`: its `[snapshots]` and bucket count rank above the defaults only.
    options
        `"section.key"` -> value given on the command line; None = not given.

    Raises
    ------
    SettingsError
        for a file that is missing or no TOML, an unknown key (with the nearest known one) or an unusable value.
    """
    return _load(config, dataset_toml, options)[0]


def origins(
    config: Path | None = None, dataset_toml: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> list[Setting]:
    """Every setting with its value and its origin, in the order of the sections; URLs without their passwords."""
    settings, layers = _load(config, dataset_toml, options)
    rows = []
    for name, value in _flat(settings.model_dump(mode="json")):
        origin = next((origin for origin, values in layers if name in values), "default")
        value = without_passwords(value) if isinstance(value, str) else value
        rows.append(Setting(name, value, f"{origin} {_env_name(name)}" if origin == "environment" else origin))
    return rows


def _load(
    config: Path | None, dataset_toml: Mapping[str, Any] | None, options: Mapping[str, Any] | None
) -> tuple[Settings, list[tuple[str, Values]]]:
    layers = [
        ("option", {k: v for k, v in (options or {}).items() if v is not None}),
        ("environment", _environment()),
        _file(config),
        ("dataset.toml", _dataset_values(dataset_toml or {})),
    ]
    for origin, values in layers:
        for name in values:
            _refuse_unknown(name, origin)
    merged: dict[str, Any] = {}
    for _, values in reversed(layers):
        for name, value in values.items():
            section, _, key = name.rpartition(".")
            target = merged.setdefault(section, {}) if section else merged
            target[key] = value
    return _validated(merged, layers), layers


def _validated(merged: Mapping[str, Any], layers: list[tuple[str, Values]]) -> Settings:
    try:
        return Settings(**merged)
    except ValidationError as bad:
        first = bad.errors()[0]
        name = ".".join(str(p) for p in first["loc"])
        origin = next((origin for origin, values in layers if name in values), "default")
        raise SettingsError(
            f"{origin}, setting {name}: {first['msg'].lower()}, got {first['input']!r}. "
            "See `leadlift settings` for all values."
        ) from None


def _environment() -> Values:
    """Values by `section.key`; a name with `__` belongs to us and must be known."""
    values: Values = {}
    for name, value in os.environ.items():
        if not name.upper().startswith(PREFIX):
            continue
        rest = name[len(PREFIX) :]
        if rest.upper() == "HOME":
            values["home"] = value or ".leadlift"
        elif "__" in rest:
            values[rest.lower().replace("__", ".", 1)] = value
        elif rest.upper() not in SECRETS and (near := _nearest(rest.upper(), OWN_NAMES)):
            raise SettingsError(f"environment: unknown setting {name}. Did you mean {PREFIX}{near}?")
    return values


def _file(config: Path | None) -> tuple[str, Values]:
    path = config or Path("leadlift.toml")
    if config is None and not path.exists():
        return str(path), {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as bad:
        raise SettingsError(f"--config {path}: expected a readable file, got {bad.strerror}. Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as bad:
        raise SettingsError(f"{path}: expected TOML, got {bad}. Correct that line.") from None
    return str(path), dict(_flat(document))


def _dataset_values(document: Mapping[str, Any]) -> Values:
    """What a dataset says about settings, in their names and units."""
    from data.dataset_file import duration

    values: Values = {}
    looks = document.get("snapshots", {})
    for name, (setting, seconds) in DATASET_NAMES.items():
        if name in looks:
            number = duration(looks[name]) / 1_000_000 / seconds
            values[f"snapshots.{setting}"] = int(number) if number.is_integer() else number
    for name in ("policy", "max_per_lead", "exclude_if_seen"):
        if name in looks:
            values[f"snapshots.{name}"] = looks[name]
    if "buckets" in document.get("dataset", {}):
        values["data.buckets"] = document["dataset"]["buckets"]
    return values


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, value in document.items():
        if isinstance(value, Mapping):
            yield from ((f"{section}.{key}", inner) for key, inner in value.items())
        else:
            yield section, value


def _refuse_unknown(name: str, origin: str) -> None:
    known = [n for n, _ in _flat(Settings.model_construct().model_dump())]
    if name in known:
        return
    shown = _env_name(name) if origin == "environment" else name
    near = _nearest(name, known)
    hint = f"Did you mean {_env_name(near) if origin == 'environment' else near}?" if near else (
        "See `leadlift settings` for all names.")  # fmt: skip
    raise SettingsError(f"{origin}: unknown setting {shown}. {hint}")


def _nearest(name: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.7)), None)


def _env_name(name: str) -> str:
    return PREFIX + name.upper().replace(".", "__", 1)
