"""What `leadlift train` prints beside the measures: differences to the champion, slices, groups, for whom it holds, leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.console import Screen

if TYPE_CHECKING:
    from training.evidence import Evidence

_COMPARED = (("log loss", "log_loss"), ("AUC", "auc"), ("lift at 10 %", "lift_at_10"))
_SHOWN = 5  # parts of a slice that are printed, the largest; `--json` and the card have all


def show_evidence(screen: Screen, evidence: Evidence, champion: str) -> None:
    """Compact tables; everything in them is in `--json` too."""
    _differences(screen, evidence, champion)
    _ablation(screen, evidence)
    _slices(screen, evidence)
    screen.say()
    for line in (*(mix.line() for mix in evidence.mix), *evidence.scan.lines()):
        screen.say(line)


def _differences(screen: Screen, evidence: Evidence, champion: str) -> None:
    rows = [
        [name, *(_signed(found[metric]) for _, metric in _COMPARED), _caught(evidence.capture[name])]
        for name, found in evidence.differences.items()
    ]
    rows.append([champion, *("" for _ in _COMPARED), _caught(evidence.capture[champion])])
    head = ("candidate", *(f"{title}, difference" for title, _ in _COMPARED), "conversions in its best 20 %")
    screen.say()
    screen.table(f"Against {champion}, paired by lead; 90 % intervals", head, rows)


def _ablation(screen: Screen, evidence: Evidence) -> None:
    found = evidence.ablation
    if found is None:
        return
    title = (f"What each group adds: held-out log loss without it minus with all, {found.rows:,} training rows; "
             f"base rate {found.base:.4f}, all {found.all:.4f}")  # fmt: skip
    screen.say()
    screen.table(title, ("group", "adds"), [[group, _signed(one)] for group, one in found.adds.items()])


def _slices(screen: Screen, evidence: Evidence) -> None:
    from training.slices import JUDGED

    rows: list[list[str]] = []
    for name in JUDGED:
        parts = [s for s in evidence.slices if s["slice"] == name]
        largest = sorted(sorted(parts, key=lambda s: -s["rows"])[:_SHOWN], key=parts.index)
        rows += [_slice(s) for s in largest]
        if len(parts) > len(largest):
            left = sum(s["rows"] for s in parts) - sum(s["rows"] for s in largest)
            rows.append([name, "smaller ones", f"{left:,}", *[""] * 4])
    if rows:
        screen.say()
        head = ("slice", "part", "rows", "predicted", "observed", "AUC", "log loss")
        screen.table("Slices of the judged rows", head, rows, left=2)


def _slice(s: dict[str, Any]) -> list[str]:
    auc = "-" if s["auc"] is None else f"{s['auc']:.3f}"
    rates = (f"{s['predicted']:.1%}", f"{s['observed']:.1%}")
    return [s["slice"], s["value"], f"{s['rows']:,}", *rates, auc, f"{s['log_loss']:.4f}"]


def _signed(found: Any) -> str:
    digits = 2 if abs(found.value) > 1 else 3 if abs(found.value) > 0.1 else 4
    return f"{found.value:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"


def _caught(found: dict[str, dict[str, float]]) -> str:
    cell = found["capture_at_20"]
    return f"{cell['value']:.0%} ({cell['low']:.0%}-{cell['high']:.0%})"
