"""`leadlift rules`: points beside data: check a file, compare two, look back, and have points suggested."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.dataset import Dataset, consenting, open_dataset
from data.errors import InputError, Verdict
from data.files import replace_text
from data.settings import Settings, load_settings
from serving.arguments import ConfigOption, parse_time, settings_for
from serving.commands import rules_tables
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.work import Request

FileArgument = Annotated[
    Path | None, typer.Argument(help="A points file; default the dataset's, the market's, the packaged one.")
]
DatasetOption = Annotated[Path, typer.Option(help="A dataset folder.")]
TargetOption = Annotated[str, typer.Option(help="Which outcome counts.")]
AsOfOption = Annotated[str | None, typer.Option(help="As if it were this moment; default just after the last arrival.")]
MarketOption = Annotated[str | None, typer.Option(help="Market; default the dataset's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Points beside data: check, diff, backtest, suggest.")
    for command in (check, diff, backtest, suggest):
        group.command(command.__name__)(command)
    app.add_typer(group, name="rules")


def check(
    file: FileArgument = None,
    dataset: Annotated[Path | None, typer.Option(help="Also look for names in this dataset.")] = None,
    as_of: AsOfOption = None,
    market: MarketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Typos, grades nobody can have, conditions that overlap, points never given. Exit 3 if something must change."""
    from training.rules_check import check as logic
    from training.rules_check_data import check_data
    from training.rules_finding import located
    from training.rules_rows import rules_in_force

    screen = Screen(as_json)
    opened, settings = _opened(dataset, config) if dataset else (None, load_settings(config))
    rules, name = rules_in_force(file, opened, settings.home, _market(opened, market))
    found = logic(rules, [e.name for e in opened.info.extra] if opened else ())
    if opened is not None:
        found += check_data(rules, opened, _moment(opened, as_of), settings.training.context)
    lines = sorted(located(found, rules), key=lambda f: f.level != "problem")
    problems = sum(f.level == "problem" for f in lines)
    rules_tables.findings(screen, lines, name, rules)
    screen.next_steps(*_after_check(problems, file, dataset))
    screen.result({
        "file": name, "version": rules.version, "approved": rules.approved, "problems": problems,
        "notes": len(lines) - problems, "findings": [f.document() for f in lines],
    })  # fmt: skip
    if problems:
        raise Verdict(f"{name}: expected points without problems, got {problems}. Correct them and check again.")


def _after_check(problems: int, file: Path | None, dataset: Path | None) -> tuple[str, ...]:
    place = f" {file}" if file else ""
    if problems:
        return (f"correct the problems, then leadlift rules check{place}",)
    data = dataset or "DATASET"
    return (f"leadlift rules backtest{place} --dataset {data}", f"leadlift rules diff OLD NEW --dataset {data}")


def diff(
    old: Annotated[Path, typer.Argument(help="The points file in force.")],
    new: Annotated[Path, typer.Argument(help="The one that may follow it.")],
    dataset: DatasetOption,
    as_of: AsOfOption = None,
    top: Annotated[int, typer.Option(min=1, help="Rows of each table printed; --json has all.")] = 15,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who changes grade, who becomes sales-ready or no longer is, by channel, and what moves them."""
    from training.rules_diff import difference
    from training.rules_rows import asks_for_probability, read_rules

    screen = Screen(as_json)
    opened, settings = _opened(dataset, config)
    before, after = read_rules(old), read_rules(new)
    moment = _moment(opened, as_of)
    found = difference(opened, before, after, moment, settings.training.context)
    rules_tables.difference(screen, found, top)
    _say_probability(screen, asks_for_probability(before) or asks_for_probability(after))
    screen.next_steps(f"leadlift rules backtest {new} --dataset {dataset}", "renew the approvals of both teams")
    screen.result({"old": str(old), "new": str(new), "as_of": moment, **found.document()})


def backtest(
    dataset: DatasetOption,
    file: FileArgument = None,
    target: TargetOption = "converted",
    as_of: AsOfOption = None,
    market: MarketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """These points and thresholds on past leads: rate, lift, capture and false alarms, with 90 % intervals."""
    from training.rules_backtest import FEW
    from training.rules_backtest import backtest as look_back
    from training.rules_rows import asks_for_probability, rules_in_force
    from training.run import question_of

    screen = Screen(as_json)
    opened, settings = _opened(dataset, config)
    request = _request(opened, settings, market, target, as_of)
    rules, name = rules_in_force(file, opened, settings.home, request.market)
    found = look_back(opened, rules, question_of(opened, settings, request), settings.training.context)
    rules_tables.backtest(screen, found, name, target)
    _say_probability(screen, asks_for_probability(rules))
    few = found.everybody.few
    screen.next_steps(f"leadlift check {dataset}" if few else f"leadlift rules suggest --dataset {dataset}")
    screen.result({"file": name, "version": rules.version, "target": target, **found.document()})
    if found.everybody.few:
        few = f"{found.everybody.converted} converted and {found.everybody.false_alarms} other leads"
        raise Verdict(
            f"too few leads to judge thresholds: expected {FEW} of both kinds, got {few}. Import more history."
        )


def suggest(
    dataset: DatasetOption,
    file: FileArgument = None,
    target: TargetOption = "converted",
    out: Annotated[Path | None, typer.Option(help="Write the suggested points to this new file.")] = None,
    as_of: AsOfOption = None,
    market: MarketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Points fitted from data beside the hand-made ones, judged on leads that taught neither; approvals left empty."""
    from training.rules_rows import rules_in_force
    from training.rules_suggest import suggest as fitted

    screen = Screen(as_json)
    if out is not None and out.exists():
        raise InputError.of(
            where=f"--out {out}", expected="a new file", got="one that exists", remedy="Name another, or move it away."
        )
    opened, settings = _opened(dataset, config)
    request = _request(opened, settings, market, target, as_of)
    hand, name = rules_in_force(file, opened, settings.home, request.market)
    found = fitted(opened, hand, settings, request, name)
    if out is not None:
        replace_text(out, found.rules.text)
    rules_tables.suggestion(screen, found, name)
    own, place = file or f"{dataset}/rules.yaml", out or "suggested.yaml"
    screen.next_steps(
        *([] if out else [f"leadlift rules suggest --dataset {dataset} --out {place}"]),
        f"leadlift rules check {place} --dataset {dataset}",
        f"leadlift rules diff {own} {place} --dataset {dataset}",
    )
    screen.result({
        "file": name, "out": str(out) if out else None, "target": target, "verdict": found.verdict,
        "split": found.split, "counts": found.counts, "ridge": found.ridge, "points": [vars(line) for line in found.lines],
        "judged": {n: p.document() for n, p in found.measures.items()}, "ready": {"training": found.ready, "judged": found.judged.ready()},
        "rules": found.rules.text,
    })  # fmt: skip


# -- shared ------------------------------------------------------------------------------------------------------
def _opened(dataset: Path, config: Path | None) -> tuple[Dataset, Settings]:
    opened, settings = open_dataset(dataset), settings_for(dataset, config)
    return consenting(opened, settings.privacy.require_consent), settings


def _moment(dataset: Dataset, as_of: str | None) -> int:
    from training.run import moment_of

    return moment_of(dataset, parse_time(as_of, "--as-of") if as_of else None)


def _market(dataset: Dataset | None, market: str | None) -> str | None:
    return market or (dataset.info.name if dataset else None)


def _request(dataset: Dataset, settings: Settings, market: str | None, target: str, as_of: str | None) -> Request:
    from training.run import market_of
    from training.work import Request

    moment = parse_time(as_of, "--as-of") if as_of else None
    return Request(
        market_of(dataset, market), target, moment, 1, settings.training.seed, lambda what, total: lambda n: None
    )


def _say_probability(screen: Screen, asked: bool) -> None:
    if asked:
        screen.say("Conditions on the probability are left aside: these are the points alone.")
