"""`leadlift promote` and `rollback`: who would change is shown first, and too many newly ready leads stop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.dataset import consenting, open_dataset
from data.errors import LeadliftError, UsageError, Verdict
from data.settings import Settings, load_settings
from serving.arguments import ConfigOption, MarketOption, TargetOption, market_or_only, parse_time, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from serving.change import Change, Mover
    from training.bundle import Bundle

SHOWN_MOVES = 10
AcceptOption = Annotated[
    str | None, typer.Option(help="Promote beyond \\[gate] max_newly_ready; the reason is kept in the history.")
]
BreakingOption = Annotated[bool, typer.Option(help="Promote although callers' requests would no longer fit.")]


def register(app: typer.Typer) -> None:
    app.command("promote")(promote)
    app.command("rollback")(rollback)


def promote(
    version: Annotated[str, typer.Argument(help="Version (first digits) or MLflow's number.")],
    dataset: Annotated[
        str | None, typer.Option(help="Leads to compare on; default the dataset it was trained on.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="The moment compared; default just after the last arrival.")] = None,
    accept_change: AcceptOption = None,
    breaking: BreakingOption = False,
    dry_run: Annotated[bool, typer.Option(help="Only show who would change.")] = False,
    market: MarketOption = None,
    target: TargetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who would change, then serve a trained version whose gate is open. Can be run again."""
    from training import registry, tracking

    screen = Screen(as_json)
    refuse_blank(accept_change)
    settings = load_settings(config)
    name, target = market_or_only(settings, market), target or settings.training.target
    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    wanted = tracking.resolve(tracking.versions(uri, settings.home, name, target), version)
    if not dry_run:
        registry.refuse_closed(settings.home, name, target, wanted)
    bundle = registry.kept(settings.home, name, target, wanted)
    broken = broken_inputs(screen, settings, bundle)
    change = _looked_at(screen, settings, bundle, dataset, as_of, config)
    reason = refusal(settings, change, accept_change) or breaking_refusal([] if breaking else broken, wanted)
    promoted = not dry_run and reason is None
    if promoted:
        put(settings, name, target, wanted, accept_change)
        screen.say(f"{wanted} serves {name}, target {target}.")
    serving = registry.current(settings.home, name, target)
    screen.result({
        "market": name, "target": target, "current": serving.version if serving else None, "promoted": promoted,
        "change": change.document() if change else None, "breaks": broken,
    })  # fmt: skip
    if promoted:
        screen.next_steps(f"leadlift serve --market {name}", f"leadlift rollback --market {name}")
    elif reason:
        screen.next_steps(f"leadlift promote {wanted} --market {name} {_ways(reason)}")
        if not dry_run:
            raise Verdict(reason)
    else:
        screen.next_steps(f"leadlift promote {wanted} --market {name}")


def rollback(market: MarketOption = None, target: TargetOption = None, config: ConfigOption = None,
             as_json: JsonOption = False) -> None:  # fmt: skip
    """Serve the release before the current one again."""
    from training import registry

    screen = Screen(as_json)
    settings = load_settings(config)
    name, target = market_or_only(settings, market), target or settings.training.target
    release = registry.rollback(settings.home, name, target, _now(), _alias(settings, name, target))
    screen.say(f"{release.version} serves {name}, target {target}, again.")
    screen.result({"market": name, "target": target, "current": release.version})
    screen.next_steps(f"leadlift models --market {name}")


# -- what promote and train --promote share --------------------------------------------------------------------
def refuse_blank(accept_change: str | None) -> None:
    if accept_change is not None and not accept_change.strip():
        raise UsageError("--accept-change: expected a reason, got none. Say why so many leads may change.")


def look(screen: Screen, settings: Settings, bundle: Bundle, dataset: str | Path, moment: int | None) -> Change:
    """Compare the bundle with what serves, on every lead of the dataset, and show it."""
    from serving.champion import load_scorer, scorer_of
    from serving.change import change_of
    from training.run import moment_of

    opened = consenting(open_dataset(dataset), settings.privacy.require_consent)
    before, at = load_scorer(settings, bundle.market, bundle.target), moment_of(opened, moment)
    with screen.progress("profile rows compared", opened.info.counts.get("leads", 0)) as advance:
        change = change_of(opened, at, before, scorer_of(bundle), advance)
    _show(screen, change)
    return change


def refusal(settings: Settings, change: Change | None, accept_change: str | None) -> str | None:
    """Why the change is too large to be promoted without a word, or None. The first release has nothing to change."""
    if change is None or change.before is None or accept_change is not None:
        return None
    limit = settings.gate.max_newly_ready
    found, allowed = change.newly_ready.total(), change.allowed(limit)
    if found <= allowed:
        return None
    return (
        f"promote: expected at most {allowed:,} newly ready leads ([gate] max_newly_ready {limit:g}, "
        f"{change.ready_before:,} are ready now), got {found:,}. Nothing was promoted; if sales can take them: "
        "--accept-change REASON."
    )


def broken_inputs(screen: Screen, settings: Settings, bundle: Bundle) -> list[str]:
    """What those who call the service now could no longer send, said and in words; nothing before the first release."""
    from serving.champion import load_scorer
    from serving.contract import breaks

    serving = load_scorer(settings, bundle.market, bundle.target)
    found = [] if "no_model" in serving.warnings else breaks(serving.feature_set, bundle.feature_set)
    for line in found:
        screen.say(f"Breaks callers: {line}.")
    return found


def breaking_refusal(broken: Sequence[str], version: str) -> str | None:
    """Why it cannot be promoted without --breaking, or None."""
    if not broken:
        return None
    return (
        f"promote: expected the inputs that callers send today, got {'; '.join(broken)}. Nothing was promoted; once no "
        f"caller depends on them: leadlift promote {version} --breaking."
    )


def _ways(reason: str) -> str:
    return "--breaking" if "--breaking" in reason else "--accept-change REASON"


def put(settings: Settings, market: str, target: str, version: str, accepted: str | None) -> None:
    """Serve a version."""
    from training import registry

    registry.promote(settings.home, market, target, version, _now(), _alias(settings, market, target), accepted)


def _looked_at(
    screen: Screen, settings: Settings, bundle: Bundle, dataset: str | None, as_of: str | None, config: Path | None
) -> Change | None:
    """The change on --dataset, else on the dataset of the training; None, said, where that is gone."""
    from training import registry

    moment = parse_time(as_of, "--as-of") if as_of else None
    if dataset is not None:
        return look(screen, settings_for(dataset, config), bundle, dataset, moment)
    kept = registry.judgement(settings.home, bundle.market, bundle.target, bundle.version).get("dataset_path")
    try:
        if kept is None:
            raise UsageError("the dataset of its training is not on record")
        open_dataset(kept)
    except LeadliftError as gone:
        screen.say(f"Cannot tell who would change: {gone} Name a dataset with --dataset.")
        return None
    return look(screen, settings_for(kept, config), bundle, kept, moment)


def _alias(settings: Settings, market: str, target: str) -> Callable[[str], None]:
    from training import tracking

    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    return lambda version: tracking.set_alias(uri, settings.home, market, target, version)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# -- showing ---------------------------------------------------------------------------------------------------
def _show(screen: Screen, change: Change) -> None:
    from serving.reply import time_text

    was = change.before or "points alone (no release serves)"
    screen.say(f"{was} -> {change.after} on {change.leads:,} leads, as of {time_text(change.as_of)}")
    screen.say(f"Mean probability {_rate(change.probability_before)} -> {_rate(change.probability_after)}; "
               f"sales-ready {change.ready_before:,} -> {change.ready_after:,}.")  # fmt: skip
    for name, moves in change.moves.items():
        # Without a model there is nothing to agree with.
        if name != "agreement" or change.before:
            _show_moves(screen, name, moves)
    _show_ready(screen, change)
    if change.movers:
        rows = [_mover_cells(m) for m in change.movers]
        head = ("lead", "before", "after", "log-odds", "causes, in log-odds")
        screen.table(f"The {len(rows)} largest moves", head, rows, left=len(head))


def _show_moves(screen: Screen, name: str, moves: Counter[tuple[str, str]]) -> None:
    if not moves:
        screen.say(f"No lead changes its {name}.")
        return
    rows = [(f"{a} -> {b}", f"{n:,}") for (a, b), n in moves.most_common(SHOWN_MOVES)]
    rest = moves.total() - sum(n for _, n in moves.most_common(SHOWN_MOVES))
    screen.table(f"{moves.total():,} leads change their {name}", (name, "leads"),
                 [*rows, *([("others", f"{rest:,}")] if rest else [])])  # fmt: skip


def _show_ready(screen: Screen, change: Change) -> None:
    new, fallen = change.newly_ready, change.fallen
    if not new and not fallen:
        screen.say("No lead becomes sales-ready, none falls back.")
        return
    channels = sorted({*new, *fallen}, key=lambda c: (-new[c] - fallen[c], c))
    rows = [(c, f"{new[c]:,}", f"{fallen[c]:,}") for c in channels]
    rows.append(("all", f"{new.total():,}", f"{fallen.total():,}"))
    screen.table("Newly ready and fallen leads", ("first channel", "newly ready", "fallen"), rows)


def _mover_cells(mover: Mover) -> list[Any]:
    causes = "; ".join(f"{c.text} {c.change:+.2f}" for c in mover.causes)
    return [mover.lead_id, _rate(mover.before), _rate(mover.after), f"{mover.change:+.2f}", causes]


def _rate(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
