"""`leadlift score`; `serve` is registered with it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.dataset import Dataset, consenting, open_dataset
from data.errors import InputError, UsageError
from data.settings import Settings, load_settings
from serving.arguments import ConfigOption, MarketOption, TargetOption, parse_time, settings_for
from serving.commands.serve import serve
from serving.console import JsonOption

if TYPE_CHECKING:
    from serving.desk import Answer, Desk
    from serving.scorer import Wants

ReasonsOption = Annotated[str, typer.Option(help="Whose reasons: none, ready (sales-ready leads') or all.")]
LangOption = Annotated[str, typer.Option(help="Language of the reasons: en or de.")]


def register(app: typer.Typer) -> None:
    app.command("score")(score)
    app.command("serve")(serve)


# -- score -----------------------------------------------------------------------------------------------------
def score(
    file: Annotated[Path | None, typer.Option(help="A request as JSON; - for standard input.")] = None,
    lead_id: Annotated[str | None, typer.Option(help="A lead of --dataset.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The dataset that knows the lead.")] = None,
    market: MarketOption = None,
    target: TargetOption = None,
    as_of: Annotated[str | None, typer.Option(help="The moment asked about; default now.")] = None,
    detail: Annotated[str, typer.Option(help="flat, or full for reasons, ledger and warnings.")] = "flat",
    reasons: ReasonsOption = "all",
    lang: LangOption = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score one lead: the bytes of the API's reply, without a server."""
    if (file is None) == (lead_id is None):
        raise UsageError(
            "score: expected either --file or --lead-id. Use --file lead.json, or --lead-id with --dataset."
        )
    if lead_id is not None and dataset is None:
        raise UsageError("--lead-id: expected --dataset DATASET beside it, got none.")
    settings = settings_for(dataset, config) if dataset else load_settings(config)
    opened = consenting(open_dataset(dataset), settings.privacy.require_consent) if dataset else None
    desk = _desk(settings, market or (opened.info.name if opened else None), target or settings.training.target)
    moment = parse_time(as_of, "--as-of") if as_of else None
    wants = wanted(detail=detail, reasons=reasons, lang=lang)
    if file is not None:
        answer = _score_file(desk, file, wants, moment)
    else:
        assert opened is not None
        assert lead_id is not None
        answer = _score_lead(desk, opened, lead_id, wants, moment)
    _print_reply(answer)


def _score_file(desk: Desk, file: Path, wants: Wants, moment: int | None) -> Answer:
    from serving import strict_json
    from serving.reply import time_text

    body = _read(file)
    if len(body) > desk.limits.max_body_bytes:
        raise InputError.of(
            where=str(file), expected=f"at most {desk.limits.max_body_bytes} bytes", got=str(len(body)),
            remedy="Send fewer events.",
        )  # fmt: skip
    document = strict_json.loads(body)
    if moment is not None and isinstance(document, dict):
        document["as_of"] = time_text(moment)
    return desk.score(document, wants, _now())


def _score_lead(desk: Desk, dataset: Dataset, lead_id: str, wants: Wants, moment: int | None) -> Answer:
    from serving.known import of_people

    person = dataset.people_of(lead_id).select(lead_id)
    known = of_people(person, _now() if moment is None else moment)
    if not len(known):
        raise InputError.of(
            where="--as-of", expected="a moment after the lead was created", got="an earlier one",
            remedy="Leave --as-of out for now.",
        )  # fmt: skip
    return desk.score_known(known, wants)


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as bad:
        raise InputError.of(
            where=f"--file {file}", expected="a readable file", got=str(bad.strerror), remedy="Check the path."
        ) from None


def _print_reply(answer: Answer) -> None:
    """Exactly the bytes; a line end only where a person looks."""
    sys.stdout.buffer.write(answer.body)
    if sys.stdout.isatty():
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    warnings = answer.headers.get("Leadlift-Warnings")
    if warnings:
        print(f"warnings: {warnings}", file=sys.stderr)


def _desk(settings: Settings, market: str | None, target: str) -> Desk:
    from serving.champion import load_scorer, market_of_environment
    from serving.desk import Desk

    scorer = load_scorer(settings, market or market_of_environment(settings)[0], target)
    return Desk(scorer, settings.serving, api=settings.api)


def wanted(**query: str) -> Wants:
    """The same choices as the query parameters of the API; a wrong one is a wrong option here."""
    from serving.desk import wants_of
    from serving.problem import RequestError

    try:
        return wants_of(query)
    except RequestError as refused:
        raise UsageError(f"--{refused.problem.faults[0]}.") from None


def _now() -> int:
    return time.time_ns() // 1000
