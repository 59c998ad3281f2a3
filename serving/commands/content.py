"""`leadlift content suggest` and `content check`: the content map against the URLs seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from data import packaged
from data.dataset import open_dataset
from data.errors import InputError
from data.files import replace_text
from features.content import ContentMap
from features.content_draft import draft, draft_text, unmapped, unused
from serving.console import JsonOption, Screen

DatasetArgument = Annotated[Path, typer.Argument(help="A dataset folder.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The content map: draft one, or see what it misses.")
    group.command("suggest")(suggest)
    group.command("check")(check)
    app.add_typer(group, name="content")


def suggest(
    dataset: DatasetArgument,
    out: Annotated[Path | None, typer.Option(help="Write the draft to this new file.")] = None,
    least_views: Annotated[int, typer.Option(min=1, help="Leave out contents with fewer views.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Draft a content map from the URLs of a dataset: pages under one beginning become one entry."""
    screen = Screen(as_json)
    urls = _urls(dataset)
    text = draft_text(urls, least_views)
    if out is not None and out.exists():
        raise InputError.of(
            where=f"--out {out}", expected="a new file", got="one that exists", remedy="Name another, or move it away."
        )
    if out is not None:
        replace_text(out, text)
    else:
        screen.say(text)
    entries = draft(urls, least_views)["content"]
    left = unmapped(urls, ContentMap.of(yaml.safe_load(text)))
    share = _share(urls, left)
    screen.say(f"{len(entries)} entries for {share:.1%} of {sum(urls.values()):,} page views.")
    name = out or "content.yaml"
    screen.next_steps(
        *([] if out else [f"leadlift content suggest {dataset} --out {name}"]),
        f'correct {name}, name it in the mapping ([dataset] content = "{name}"), and import again',
    )
    screen.result({"out": str(out) if out else None, "entries": len(entries), "share": share, "content": text})


def check(
    dataset: DatasetArgument,
    top: Annotated[int, typer.Option(min=1, help="Rows printed; --json has all.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """What the dataset's content map misses: paths no entry matches, by views, and entries that match nothing."""
    screen = Screen(as_json)
    urls = _urls(dataset)
    own = open_dataset(dataset).content_text()
    content = ContentMap.of(yaml.safe_load(own or packaged.content_text()))
    left, idle = unmapped(urls, content), unused(urls, content)
    share = _share(urls, left)
    whose = "The dataset's content map" if own else "The packaged content map (the dataset has none)"
    screen.say(f"{whose}, version {content.version}: {share:.1%} of {sum(urls.values()):,} page views are mapped.")
    if left:
        title = f"unmapped paths: {len(left):,}"
        screen.table(title, ("path", "views"), [[path, f"{views:,}"] for path, views in left[:top]])
    if idle:
        screen.say(f"entries that match no URL: {', '.join(idle)}")
    screen.next_steps(f"leadlift content suggest {dataset}", f"leadlift paths {dataset} --by content")
    rows = [{"path": path, "views": views} for path, views in left]
    screen.result({"version": content.version, "views": sum(urls.values()), "share": share, "unmapped": rows,
                   "unused": idle, "own": own is not None})  # fmt: skip


def _share(urls: dict[str, int], left: list[tuple[str, int]]) -> float:
    return 1.0 - sum(views for _, views in left) / sum(urls.values())


def _urls(dataset: Path) -> dict[str, int]:
    urls = dict(open_dataset(dataset).urls())
    if not urls:
        raise InputError.of(
            where=str(dataset), expected="page views with a URL", got="none",
            remedy="Import a tracker's events; content ids need no content map.",
        )  # fmt: skip
    return urls
