"""Settings of LightGBM that are tried: a fixed list, and beyond it what Optuna proposes from how those before did.

The number of trials is the bound, never time: the same data and seed try the same settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from data.errors import UsageError

TOGETHER = 2  # proposed at a time, whatever the number of cores: what is tried must not depend on the machine


class Trees(NamedTuple):
    """Settings of one trial; `extra` draws thresholds by chance, `deep` allows depth 6 instead of 4."""

    learning_rate: float
    min_data_in_leaf: int
    lambda_l2: float
    feature_fraction: float
    extra: bool
    deep: bool = False

    def parameters(self) -> dict[str, Any]:
        """LightGBM's names for them."""
        found: dict[str, Any] = self._asdict()
        deep, extra = found.pop("deep"), found.pop("extra")
        return found | ({"extra_trees": True} if extra else {}) | ({"max_depth": 6, "num_leaves": 20} if deep else {})


# A smaller number of trials takes the first ones: extra trees resist noise where conversions are few, plain ones suit
# larger tables.
FIXED = (
    Trees(0.08, 100, 20.0, 0.5, extra=True),
    Trees(0.06, 20, 5.0, 0.3, extra=False),
    Trees(0.06, 20, 1.0, 0.5, extra=True),
    Trees(0.04, 100, 20.0, 0.3, extra=False),
    Trees(0.05, 20, 1.0, 0.5, extra=True, deep=True),
    Trees(0.03, 20, 1.0, 0.4, extra=False, deep=True),
    Trees(0.1, 10, 1.0, 0.5, extra=True),
    Trees(0.03, 50, 10.0, 0.7, extra=False),
)


def check(trials: int) -> None:
    """A UsageError where more trials are asked for than the fixed list has and Optuna is not there."""
    if trials > len(FIXED) and find_spec("optuna") is None:
        raise UsageError(
            f"--trials: expected at most {len(FIXED)} without Optuna, got {trials}. "
            'Install it: pip install "leadlift[tune]".'
        )


class Proposals:
    """Optuna's tree-structured Parzen estimator, told of every trial so far."""

    def __init__(self, seed: int, tried: Sequence[tuple[Trees, float]]) -> None:
        """`tried`: settings and their held-out log loss."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        d = optuna.distributions
        self._space: dict[str, Any] = {
            "learning_rate": d.FloatDistribution(0.02, 0.12, log=True),
            "min_data_in_leaf": d.IntDistribution(5, 200, log=True),
            "lambda_l2": d.FloatDistribution(0.1, 50.0, log=True),
            "feature_fraction": d.FloatDistribution(0.1, 0.9),
            "extra": d.CategoricalDistribution([False, True]),
            "deep": d.CategoricalDistribution([False, True]),
        }
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        for trees, loss in tried:
            told = optuna.trial.create_trial(params=trees._asdict(), distributions=self._space, value=loss)
            self._study.add_trial(told)
        self._asked: list[Any] = []

    def ask(self, count: int) -> list[Trees]:
        self._asked = [self._study.ask(self._space) for _ in range(count)]
        return [Trees(**trial.params) for trial in self._asked]

    def tell(self, losses: Sequence[float]) -> None:
        """The held-out log losses of those asked for last, in their order."""
        for trial, loss in zip(self._asked, losses, strict=True):
            self._study.tell(trial, loss)
