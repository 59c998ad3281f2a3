"""Fixtures that several test modules share."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import yaml

from data.dataset import Dataset, DatasetInfo, ExtraColumn, open_dataset
from data.importers.report import ImportReport
from data.importers.tracker import import_tracker
from data.importers.tracker_mapping import tracker_mapping
from data.lake import Lake, write_lake
from data.packaged import content_text, rules_text, source_categories
from data.records import DAY, EVENT_TYPES, NULL_TIME, Coded, Columns
from data.settings import Settings, load_settings
from data.store.database import url_of
from features.build import FeatureSet, build_features, fit_feature_set
from features.catalog import CONTEXT, families_for
from features.golden import DIGESTS
from serving.cli import main
from serving.known import of_people
from serving.writeback_http import Http
from tests import postgres as postgres_server
from tests.crm_scores import Customer, customer
from tests.crm_server import CrmServer, crm_server
from training import registry
from training.bundle import Bundle, canary_text, make_bundle
from training.calibration import Isotonic, Sigmoid, Spread, to_json
from training.predictors import LinearModel

# The same examples in every run: a failure is a change of the code, never of the dice.
hypothesis.settings.register_profile("leadlift", derandomize=True, deadline=None, max_examples=50, database=None)
hypothesis.settings.load_profile("leadlift")

NOW = 1_790_000_000_000_000
EXTRA = (
    ExtraColumn("plan wish", "text", "attribute", label_en="plan they ask for", label_de="gewünschter Tarif"),
    ExtraColumn("trial_seconds", "number", "behaviour_total", unit="s"),
    ExtraColumn("old_score", "number", "comparator"),
)


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """A busy machine is no slow store: services that tests start wait for theirs longer than they do by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLIFT_SERVING__STORE_SECONDS", "60")
        yield


@dataclass(frozen=True)
class Market:
    """A small dataset, a bundle fitted to nothing in particular, and a home in which it is promoted."""

    dataset: Dataset
    bundle: Bundle
    settings: Settings
    as_of: int

    @property
    def name(self) -> str:
        return self.dataset.info.name


def _texts(rng: np.random.Generator, choices: list[str | None], n: int) -> Coded:
    return Coded.of([choices[i] for i in rng.integers(0, len(choices), n).tolist()])


def _lead_columns(rng: np.random.Generator, n: int, has_times: bool) -> Columns:
    """Some leads have two profile rows, some have an empty one."""
    rows = [i for i in range(n) for _ in range(1 + (i % 5 == 0 and has_times))]
    created = np.array([NOW - (60 + i % 30) * DAY - i for i in rows])
    valid = created + np.array([(k > 0 and rows[k - 1] == i) * 20 * DAY for k, i in enumerate(rows)])
    empty = np.array([i % 7 == 0 for i in rows])
    columns: dict[str, Any] = {
        "country": _texts(rng, ["DE", "US", "FR", None], len(rows)),
        "industry": _texts(rng, ["software", "retail", None], len(rows)),
        "title": _texts(rng, ["Head of Marketing", "CEO", "Intern", "=HYPERLINK(1)", None], len(rows)),
        "email_kind": _texts(rng, ["business", "free", None], len(rows)),
        "lead_source": _texts(rng, ["webinar", "organic search", None], len(rows)),
        "employees": np.where(rng.random(len(rows)) < 0.2, np.nan, rng.integers(1, 5000, len(rows))),
        "plan wish": _texts(rng, ["basic", "größer", None], len(rows)),
        "trial_seconds": np.where(rng.random(len(rows)) < 0.3, np.nan, rng.gamma(1.0, 300.0, len(rows))),
        "old_score": rng.random(len(rows)),
    }
    for name, column in columns.items():
        if isinstance(column, Coded):
            columns[name] = Coded(np.where(empty, -1, column.codes).astype(np.int32), column.values)
        else:
            columns[name] = np.where(empty, np.nan, column)
    columns["account_id"] = Coded.of([f"a{i % 30}" for i in rows])
    columns["lead_id"] = Coded.of([_lead_id(i) for i in rows])
    columns["created_at"] = created if has_times else np.full(len(rows), NULL_TIME)
    columns["valid_from"] = valid if has_times else np.full(len(rows), NULL_TIME)
    columns["source_row"] = np.arange(1, len(rows) + 1)
    return columns


def _lead_id(i: int) -> str:
    return "=cmd|1" if i == 3 else f"lead-{i:04d}"


def _event_columns(rng: np.random.Generator, n: int, count: int) -> Columns:
    lead = rng.integers(0, n - n // 6, count)  # the last leads have no event
    linked = rng.random(count) < 0.5
    occurred = NOW - rng.integers(1, 90 * DAY, count)
    occurred[: count // 10] = NOW - 30 * DAY  # ties in time
    urls = [
        "/", "/pricing", "/blog/automation/x", "/blog/security/y", "/product/analytics", "/guides/security", "/nothing",
    ]  # fmt: skip
    ids = [f"e{i}" for i in range(count)]
    ids[1::40] = ids[0::40][: len(ids[1::40])]  # the same event told twice
    return {
        "event_id": Coded.of(ids),
        "visitor_id": Coded.of([f"v{i}" if of_visitor else None for i, of_visitor in zip(lead, linked, strict=True)]),
        "lead_id": Coded.of([None if of_visitor else _lead_id(i) for i, of_visitor in zip(lead, linked, strict=True)]),
        "session_id": _texts(rng, [None, "s1", "s2"], count),
        "occurred_at": occurred,
        "received_at": np.where(rng.random(count) < 0.5, NULL_TIME, occurred + DAY // 24),
        "type": _texts(rng, ["page_view"] * 6 + list(EVENT_TYPES), count),
        "direction": _texts(rng, ["inbound", "inbound", "outbound", None], count),
        "url": Coded.of([f"https://www.example.com{urls[i]}" for i in rng.integers(0, len(urls), count)]),
        "source": _texts(rng, [None, "google", "newsletter"], count),
        "medium": _texts(rng, [None, "cpc", "email"], count),
        "campaign": _texts(rng, [None, "spring", "autumn"], count),
        "dwell_seconds": np.where(rng.random(count) < 0.5, np.nan, rng.gamma(2.0, 30.0, count)),
        "is_bot": rng.random(count) < 0.05,
    }


def _link_columns(n: int) -> Columns:
    return {
        "visitor_id": Coded.of([f"v{i}" for i in range(n)]),
        "lead_id": Coded.of([_lead_id(i) for i in range(n)]),
        "known_from": np.array([NOW - 80 * DAY + i for i in range(n)]),
        "kind": Coded.of(["form"] * n),
    }


def _outcome_columns(n: int) -> Columns:
    """Every fourth lead was taken over by sales, every tenth was won; calls came before and after."""
    rows = [(i, "accepted", 20) for i in range(0, n, 4)] + [(i, "converted", 5) for i in range(0, n, 10)]
    return {
        "lead_id": Coded.of([_lead_id(i) for i, _, _ in rows]),
        "occurred_at": np.array([NOW - days * DAY for _, _, days in rows]),
        "kind": Coded.of([kind for _, kind, _ in rows]),
    }


def _bundle(dataset: Dataset, market: str, as_of: int) -> Bundle:
    """A logistic model with arbitrary coefficients over all families, on the packaged points."""
    (people,) = dataset.people()
    known = of_people(people, as_of)
    content, categories = yaml.safe_load(content_text()), source_categories()
    families = [f for f in families_for(dataset.info.extra) if f.name not in CONTEXT]
    empty = FeatureSet((), dataset.info.extra, {}, content, categories)
    feature_set = fit_feature_set(families, dataset.info.extra, content, categories, known.moment(empty))
    moment = known.moment(feature_set)
    values = build_features(moment.leads, moment.journeys, feature_set).values
    rng = np.random.default_rng(7)
    k = values.shape[1]
    model = LinearModel(
        feature_set.columns, rng.normal(0, 1, k), np.ones(k), rng.normal(0, 0.2, k), rng.normal(0, 0.2, k),
        np.zeros((0, k)), np.zeros((0, k)), np.zeros(k), -1.5,
    )  # fmt: skip
    texts = model.files() | {
        "features.json": feature_set.to_json(),
        "rules.yaml": rules_text(),
        "content.yaml": content_text(),
        "calibrator.json": to_json(
            Sigmoid(0.4, -0.2), Isotonic((0.0, 100.0), (0.01, 0.4)), Spread((-9.0, 9.0), (0.3, 0.5))
        ),
        "value.json": '{"count": 200, "mean_minor": 1234567.0}',
        "canary.json": canary_text(model, values[:3]),
        "card.md": "A model of a test.\n",
    }
    about = {
        "market": market, "target": "converted", "horizon_days": 30, "currency": "EUR", "candidate": "logistic",
        "recipe": {"kind": "logistic", "settings": {}}, "seed": 0,
        "families": {f.name: DIGESTS[f.name] for f in families if f.name in DIGESTS},
    }  # fmt: skip
    return make_bundle(texts, about)


def _promote(home: Path, bundle: Bundle) -> None:
    registry.keep(home, bundle, {"gate": {"open": True, "reasons": []}, "bundle": {"sha256": bundle.name}})
    registry.keep_rules(home, bundle.market, rules_text())
    registry.promote(home, bundle.market, bundle.target, bundle.version, "2026-11-01T00:00:00Z", lambda version: None)


def _market(folder: Path, name: str, has_times: bool) -> Market:
    rng = np.random.default_rng(3)
    n = 90
    records = {"leads": _lead_columns(rng, n, has_times)}
    if has_times:
        records |= {"events": _event_columns(rng, n, 1500), "links": _link_columns(n), "outcomes": _outcome_columns(n)}
    info = DatasetInfo(name=name, buckets=4, extra=EXTRA, has_times=has_times)
    write_lake(folder / "dataset", info, records, {})
    dataset = open_dataset(folder / "dataset")
    settings = Settings(home=folder / "home")
    as_of = NOW + 1
    bundle = _bundle(dataset, name, as_of)
    _promote(settings.home, bundle)
    return Market(dataset, bundle, settings, as_of)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Leads with profiles, events and links."""
    return _market(tmp_path_factory.mktemp("market"), "shop", True)


@pytest.fixture(scope="session")
def timeless(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A table without times: one row per lead, totals instead of events."""
    return _market(tmp_path_factory.mktemp("timeless"), "table", False)


@pytest.fixture(scope="session")
def client(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real service in this process, answering for `market`. One per session: BentoML keeps global state.

    Its store lies apart from the home: tests copy the home, and a process that copies a file of SQLite it has open
    loses its locks on it, so that another process may take the file for its own.
    """
    store = url_of(tmp_path_factory.mktemp("client") / "store.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient

        from serving.service import LeadliftService

    with ExitStack() as running:
        with pytest.MonkeyPatch.context() as patch:  # read once, when the service starts; other tests have their own
            patch.setenv("LEADLIFT_HOME", str(market.settings.home))
            patch.setenv("LEADLIFT_MARKET", market.name)
            patch.setenv("LEADLIFT_SERVING__STORE", store)
            testing = running.enter_context(TestClient(LeadliftService.to_asgi(), base_url="http://127.0.0.1"))
        yield testing


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL: postgres(name) makes an empty schema and gives its URL, with a password that must appear nowhere."""
    with postgres_server.running(tmp_path_factory.mktemp("postgres")) as fresh:
        yield fresh


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Where stores can be, on either database: place(name) is the URL of one that is not made yet."""
    if request.param == "sqlite":
        return lambda name: url_of(tmp_path / f"{name}.db")
    fresh: Callable[[str], str] = request.getfixturevalue("postgres")
    return fresh


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The public data sets, where they are; else the test is skipped."""
    folder = (Path(__file__).parent.parent / load_settings().data.public_dir).resolve()
    if not folder.is_dir():
        pytest.skip("the public data sets are not in [data] public_dir")
    return folder


class Leadlift:
    """The command line in this process, with a home of its own: exit code, the JSON object, what was said to people."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self.home = home
        self.settings = {"LEADLIFT_HOME": str(home), **settings}

    def __call__(self, *words: str, **settings: str) -> tuple[int, dict[str, Any], str]:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.argv", ["leadlift", *words, "--json"])
            for name, value in (self.settings | settings).items():
                patch.setenv(name, value)
            try:
                main()
                code = 0
            except SystemExit as stop:
                code = int(stop.code or 0)
        text = out.getvalue().strip()
        return code, json.loads(text) if text else {}, err.getvalue()


# One thread, few refits and draws: enough for what the tests ask, and quick on a busy machine.
QUICK = {
    "LEADLIFT_TRAINING__REFITS": "3",
    "LEADLIFT_TRAINING__BOOTSTRAP": "40",
    "LEADLIFT_TRAINING__THREADS": "1",
}


@pytest.fixture(scope="module")
def leadlift_at(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Leadlift]:
    """Makes a command line with a fresh home."""
    return lambda: Leadlift(tmp_path_factory.mktemp("home"), QUICK)


@dataclass(frozen=True)
class Tracked:
    """A tracker's files imported: the report, and the rows of each record."""

    report: ImportReport
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    leads: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]
    path: Path

    def event(self, event_id: str) -> dict[str, Any]:
        (row,) = [e for e in self.events if e["event_id"] == event_id]
        return row


@pytest.fixture
def track(tmp_path: Path) -> Callable[..., Tracked]:
    """Imports files of a tracker: track(kind, files, mapping=..., **data settings)."""

    def run(kind: str, files: list[Path], mapping: Path | None = None, to: str = "tracked", **data: Any) -> Tracked:
        target, own = tmp_path / to, Settings(data={"reject_limit": 1.0, **data})  # type: ignore[arg-type]
        report = import_tracker([str(f) for f in files], kind, tracker_mapping(mapping, None, target), target, own)
        lake, names = Lake(target), ("events", "links", "leads", "outcomes")
        rows = {n: lake.table(n).to_pylist() if lake.info.counts.get(n) else [] for n in names}
        rows["events"].sort(key=lambda e: (e["occurred_at"], e["event_id"]))
        return Tracked(report=report, path=target, **rows)

    return run


# -- CRMs ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def crms() -> Iterator[CrmServer]:
    """CRMs on this machine."""
    with crm_server() as crm:
        yield crm


@pytest.fixture(params=["salesforce", "hubspot"])
def either(crms: CrmServer, tmp_path: Path, request: pytest.FixtureRequest) -> Customer:
    """A customer of Salesforce, and one of HubSpot, with nine leads' scores."""
    return customer(request.param, crms, tmp_path, request)


@pytest.fixture
def salesforce(crms: CrmServer, tmp_path: Path, request: pytest.FixtureRequest) -> Customer:
    return customer("salesforce", crms, tmp_path / "salesforce", request)


@pytest.fixture
def hubspot(crms: CrmServer, tmp_path: Path, request: pytest.FixtureRequest) -> Customer:
    return customer("hubspot", crms, tmp_path / "hubspot", request)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a write-back waited; nobody waits really."""
    waited: list[float] = []
    made = Http.__init__
    monkeypatch.setattr(Http, "__init__", lambda self, *words: made(self, *words, sleep=waited.append))
    return waited
