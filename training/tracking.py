"""MLflow, and nothing else touches it: runs, the registered model, the alias `champion`.

The registered model holds the bundle's files and a model from code, so that
`mlflow.pyfunc.load_model("models:/leadlift-<market>-<target>@champion")` works without pickle. It is imported inside
functions: it takes seconds, and most commands do not need it.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UsageError
from training.bundle import Bundle

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
_URI_NAME = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Registered:
    """One registered version: MLflow's number, our version (12 digits), run id, whether it has the alias."""

    number: int
    version: str
    run_id: str
    champion: bool


def model_name(market: str, target: str) -> str:
    return f"leadlift-{market}-{target}"


def tracking_uri(configured: str | None, home: Path) -> str:
    """The setting, else MLFLOW_TRACKING_URI, else an SQLite file in the home."""
    return configured or os.environ.get(_URI_NAME) or f"sqlite:///{home.resolve() / 'mlflow.db'}"


@contextmanager
def _client(uri: str, home: Path) -> Iterator[MlflowClient]:
    """MLflow at `uri`, without telemetry and without its chatter; the process's own address is put back afterwards."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    home.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Warnings of MLflow about itself say nothing to the person who trains.
        warnings.simplefilter("ignore")
        import mlflow

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        before = os.environ.get(_URI_NAME)
        mlflow.set_tracking_uri(uri)
        try:
            yield mlflow.MlflowClient(uri)
        finally:
            # MLflow writes the address into the environment, where the next call would take it for a setting.
            mlflow.set_tracking_uri(None)
            if before is not None:
                os.environ[_URI_NAME] = before


def log(
    uri: str,
    home: Path,
    bundle: Bundle,
    folder: Path,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    figures: Mapping[str, Any],
    report: Mapping[str, Any],
) -> int:
    """Record a training and register its bundle; returns MLflow's version number.

    A bundle that is registered already keeps its number: the same bundle is the same model.
    """
    name = model_name(bundle.market, bundle.target)
    with _client(uri, home) as client:
        import mlflow

        experiment = _experiment(client, name, uri, home)
        with mlflow.start_run(experiment_id=experiment, tags=dict(tags)) as run:
            mlflow.log_params(dict(params))
            mlflow.log_metrics(dict(metrics))
            mlflow.log_dict(dict(report), "report.json")
            for file, figure in figures.items():
                mlflow.log_text(figure.to_json(), f"figures/{file}.json")
            _log_figures_page(figures)
            known = _versions(client, name)
            same = next((v for v in known if v.version == bundle.version), None)
            if same is not None:
                return same.number
            return _register(client, name, bundle, folder, run.info.run_id)


def _experiment(client: MlflowClient, name: str, uri: str, home: Path) -> str:
    """The experiment of a registered model; a local store keeps its artifacts in the home, not where one stands."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = (home / "mlartifacts").resolve().as_uri() if uri.startswith("sqlite:") else None
    return str(client.create_experiment(name, artifact_location=place))


def _log_figures_page(figures: Mapping[str, Any]) -> None:
    """All figures on one page that opens offline."""
    import mlflow
    from plotly.io import to_html

    parts = [to_html(f, full_html=False, include_plotlyjs=i == 0) for i, f in enumerate(figures.values())]
    mlflow.log_text("<!doctype html><meta charset='utf-8'>" + "".join(parts), "figures/figures.html")


def _register(client: MlflowClient, name: str, bundle: Bundle, folder: Path, run_id: str) -> int:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    names = (*bundle.feature_set.columns, *(("points",) if bundle.model_weight < 1.0 else ()))
    columns = Schema([ColSpec(DataType.double, c) for c in names])
    answer = Schema([ColSpec(DataType.double, "probability")])
    root = Path(__file__).resolve().parents[1]
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"bundle": str(folder)},
        code_paths=[str(root / part) for part in ("data", "features", "training")],
        signature=ModelSignature(inputs=columns, outputs=answer),
        pip_requirements=["numpy", "pandas", "pydantic", "pyyaml", "lightgbm"],
    )
    if not _exists(client, name):
        client.create_registered_model(name)
    made = client.create_model_version(
        name, source=info.model_uri, run_id=run_id, model_id=info.model_id,
        tags={"leadlift.version": bundle.version, "leadlift.sha256": bundle.name},
    )  # fmt: skip
    return int(made.version)


def _exists(client: MlflowClient, name: str) -> bool:
    return bool(client.search_registered_models(f"name = '{name}'"))


def _versions(client: MlflowClient, name: str) -> list[Registered]:
    if not _exists(client, name):
        return []
    alias = int(client.get_registered_model(name).aliases.get(ALIAS, 0))
    found = client.search_model_versions(f"name = '{name}'")
    rows = [Registered(int(v.version), v.tags.get("leadlift.version", ""), v.run_id or "", int(v.version) == alias)
            for v in found]  # fmt: skip
    return sorted(rows, key=lambda r: r.number)


def versions(uri: str, home: Path, market: str, target: str) -> list[Registered]:
    """All registered versions, oldest first."""
    with _client(uri, home) as client:
        return _versions(client, model_name(market, target))


def set_alias(uri: str, home: Path, market: str, target: str, version: str) -> None:
    """Give a version (12 digits) the alias `champion`."""
    name = model_name(market, target)
    with _client(uri, home) as client:
        number = next((v.number for v in _versions(client, name) if v.version == version), None)
        if number is None:
            raise UsageError(f"{version}: expected a version registered in MLflow, got none. Train again.")
        client.set_registered_model_alias(name, ALIAS, str(number))


def resolve(registered: Sequence[Registered], wanted: str) -> str:
    """What a person typed -> the version: MLflow's number or the first digits of the version."""
    hits = {v.version for v in registered if str(v.number) == wanted.removeprefix("v")}
    hits = hits or {v.version for v in registered if len(wanted) >= 4 and v.version.startswith(wanted)}
    if len(hits) != 1:
        raise UsageError(f"{wanted}: expected one trained version, got {len(hits) or 'none'}. See leadlift models.")
    return hits.pop()
