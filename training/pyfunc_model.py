"""The bundle as an MLflow model from code: a table of its feature columns in, probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from features.build import FeatureTable
from training.bundle import Bundle, read_bundle


class LeadliftModel(PythonModel):
    """Reads the bundle's files after checking their hashes."""

    bundle: Bundle

    def load_context(self, context: PythonModelContext) -> None:
        self.bundle = read_bundle(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Feature columns by name, in any order -> a column `probability`.

        A model that leans on the points (training.cold) also needs their total in a column `points`.
        """
        columns = self.bundle.feature_set.columns
        values = np.ascontiguousarray(model_input[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan))
        points = model_input["points"].to_numpy(dtype=np.int64) if self.bundle.model_weight < 1.0 else None
        return pd.DataFrame({"probability": self.bundle.predict(FeatureTable(columns, values), points).probability})


set_model(LeadliftModel())
