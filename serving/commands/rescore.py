"""`leadlift rescore`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.dataset import Dataset, consenting, open_dataset
from data.errors import LeadliftError, UsageError
from data.redact import without_password
from data.settings import Settings
from serving.arguments import ConfigOption, DatasetArgument, MarketOption, TargetOption, parse_time, settings_for
from serving.commands.promote import refuse_blank
from serving.commands.scores import LangOption, ReasonsOption, wanted
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from serving.rescore import Done, Job
    from serving.rescore_job import Engine
    from serving.rescore_targets import Target


class By(StrEnum):
    """Who makes the parts."""

    local = "local"
    spark = "spark"


def register(app: typer.Typer) -> None:
    app.command("rescore")(rescore)


def rescore(
    dataset: DatasetArgument,
    out: Annotated[str, typer.Option(help="A folder for sets of Parquet, a .csv file, or a store's URL.")],
    as_of: Annotated[str | None, typer.Option(help="The moment; default just after the last arrival.")] = None,
    market: MarketOption = None,
    target: TargetOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, or tasks of Spark; they change no byte.")] = 1,
    engine: Annotated[
        By, typer.Option(help="local, or spark: \\[rescore] spark_master, else this machine.")
    ] = By.local,
    reasons: ReasonsOption = "all",
    lang: LangOption = "en",
    keep: Annotated[int, typer.Option(min=1, help="How many sets stay, the new one counted.")] = 14,
    changes: Annotated[bool, typer.Option("--changes", help="Also say which leads moved, and why.")] = False,
    accept_change: Annotated[
        str | None, typer.Option(help="Publish what the gate would hold back; the reason is kept in the manifest.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score every lead of a dataset at one moment; readers see the old set or the new one, never a mixture.

    A run that was killed goes on where it was; one that is done is left as it is. What looks like a broken feed is held
    back: exit 3, and the old set stays.
    """
    from serving import rescore as runs
    from serving.champion import champion
    from serving.rescore_review import Review

    screen = Screen(as_json)
    refuse_blank(accept_change)
    settings = settings_for(dataset, config)
    made = None if engine is By.local else _spark(settings)
    moment = None if as_of is None else parse_time(as_of, "--as-of")
    opened = consenting(open_dataset(dataset, moment), settings.privacy.require_consent)
    scorer = champion(settings, market or opened.info.name, target or settings.training.target)
    job = runs.Job(opened, scorer, _moment(opened, moment), wanted(reasons=reasons, lang=lang))
    goal = goal_of(out, settings, scorer.market or "", scorer.target)
    rows = opened.info.counts.get("leads", 0) * (1 + changes)  # read once more to tell changes
    with screen.progress("profile rows scored", rows) as advance:
        review = Review(settings, accept_change, changes, advance)
        how = runs.How(
            engine=made, workers=workers, keep=keep, step=settings.rescore.history_step, reject_limit=settings.data.reject_limit,
            ready=review.ready, gate=review, advance=advance,
            waiting=lambda: screen.say(f"{out}: another rescore is at work there; waiting for it."),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        done = runs.rescore(job, goal, how)
    told = review.keep(done.path)
    if changes and told is None:
        screen.say("This set was published without --changes; the next one can tell what moved since.")
    _note(screen, settings, job, goal, out)
    _prepare_page(screen, settings, job)
    _tell(screen, goal, done, told)


def _moment(dataset: Dataset, moment: int | None) -> int:
    if moment is not None:
        return moment
    if dataset.info.latest_arrival is None or not dataset.info.has_times:
        raise UsageError("--as-of: expected a moment, because this table has no times. It only dates the replies.")
    return dataset.info.latest_arrival + 1


def _spark(settings: Settings) -> Engine:
    try:
        from serving.rescore_spark import spark_engine
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("pyspark", "py4j"):
            raise
        raise UsageError(
            "--engine spark: expected pyspark, got none. Install Leadlift with the extra spark: pip install -e '.[spark]'."
        ) from None
    return spark_engine(settings.rescore.spark_master)


def goal_of(out: str, settings: Settings, market: str, target: str) -> Target:
    """The target; what goes to a server is made in the home, in a folder for each server."""
    from serving.rescore_targets import target_of
    from training.registry import place

    return target_of(out, place(settings.home, market, target) / _workshop(out))


def sets_at(out: str, home: Path) -> Path:
    """The folder of the sets that `--out` named: for a server, the one in the home that was published last."""
    from serving.rescore_sets import CURRENT
    from serving.rescore_targets import target_of

    made = sorted(home.glob(f"*/*/{_workshop(out)}/{CURRENT}"), key=lambda file: file.stat().st_mtime_ns)
    return target_of(out, made[-1].parent if made else home / _workshop(out)).folder


def _workshop(out: str) -> str:
    return f"scores-{hashlib.sha256(without_password(out).encode()).hexdigest()[:12]}"


def _note(screen: Screen, settings: Settings, job: Job, goal: Target, out: str) -> None:
    """Where the scores are, for `leadlift status`. A home that takes nothing is no reason to fail."""
    from serving.status import note_scores
    from training.registry import place

    try:
        note_scores(place(settings.home, job.scorer.market or "", job.scorer.target), goal.folder, out)
    except OSError as bad:
        screen.say(f"The home takes no note of --out ({bad.strerror}); leadlift status has to be told it.")


def _prepare_page(screen: Screen, settings: Settings, job: Job) -> None:
    """The page anew, where it was prepared before. Scores are published by now: what goes wrong here is only said."""
    from serving.commands.paths import publish_page
    from serving.insights.plan import plan_of

    plan = plan_of(settings.home, job.dataset.info.name)
    if plan is None:
        return
    try:
        publish_page(screen, job.dataset, settings, job.as_of, plan)
    except (LeadliftError, OSError) as why:
        screen.say(f"The page stays as it was: {why}")


# -- telling ---------------------------------------------------------------------------------------------------
def _tell(screen: Screen, target: Target, done: Done, changes: dict[str, Any] | None) -> None:
    leads = done.leads
    word = "was there already" if done.again else "written"
    parts = {"not created yet at that moment": leads["not_yet_created"], "in quarantine": leads["quarantined"]}
    more = "".join(f", {n} {what}" for what, n in parts.items() if n)
    screen.say(f"Run {done.run} {word}: {leads['scored']} of {leads['leads']} leads scored{more}.")
    screen.say(f"{leads['sales_ready']} are sales-ready.")
    if leads["quarantined"]:
        screen.say(f"{done.path / 'quarantine.jsonl'} says why, lead by lead.")
    screen.table("Grades", ("grade", "leads"), [(g, str(n)) for g, n in sorted(leads["grades"].items())])
    _tell_moves(screen, done)
    if changes is not None:
        _tell_changes(screen, done, changes)
    if done.current:
        screen.say(target.told(done.run))
    else:
        screen.say(f"{target.shown} has the scores of a run that was published later; nothing was changed.")
    screen.next_steps("leadlift score --lead-id ID --dataset DATASET      one of them with its reasons")
    about = {"run": done.run, "path": str(done.path), "out": target.shown, "again": done.again}
    screen.result({**about, "current": done.current, "leads": leads, "moves": done.moves, "changes": changes})


def _tell_moves(screen: Screen, done: Done) -> None:
    moves = done.moves
    if moves is None:
        return
    screen.say(
        f"Since the set before: {moves['better']} leads have a better grade, {moves['worse']} a worse one; "
        f"{moves['newly_ready']} are newly sales-ready, {moves['no_longer_ready']} no longer; the probability of "
        f"{moves['moved']} moved; {moves['new']} are new, {moves['gone']} gone."
    )


def _tell_changes(screen: Screen, done: Done, changes: dict[str, Any]) -> None:
    """The causes that were the largest for most leads, and where to read of each lead."""
    screen.say(f"{changes['moved']} leads moved, {changes['first_scored']} were scored for the first time.")
    causes = sorted(changes["causes"].items(), key=lambda c: -c[1]["leads"])
    rows = [(name, str(c["leads"]), str(c["up"]), str(c["down"])) for name, c in causes if c["leads"]]
    if rows:
        screen.table("Why they moved", ("largest cause", "leads", "up", "down"), rows)
    screen.say(
        f"{done.path / 'changes.parquet'} has both scores of each and what every cause adds; the service tells it"
    )
    screen.say("at /v1/leads/{id}/history.")
