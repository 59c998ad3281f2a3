"""What people see: messages and tables on standard error or output, progress, one JSON object with `--json`.

With `--json` standard output carries exactly one JSON object; everything said to a person goes to standard error. What
goes through here is without the passwords of URLs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from data.redact import without_passwords

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


class Screen:
    """Where a command speaks. Make one per command: `screen = Screen(as_json)`."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        stream = sys.stderr if as_json else sys.stdout
        width = None if stream.isatty() else 140
        self.console = Console(file=stream, highlight=False, width=width, soft_wrap=False)

    def say(self, text: str = "") -> None:
        """A line for people. Markup is off: text from files is shown as it is."""
        self.console.print(without_passwords(text), markup=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
        """A table; the first `left` columns are flush left, the others (figures) flush right."""
        self.console.print(without_passwords(title), markup=False, style="bold", soft_wrap=True)
        table = Table(show_edge=False, pad_edge=False)
        for i, name in enumerate(columns):
            table.add_column(name, justify="left" if i < left else "right", overflow="fold")
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        self.console.print(table)

    def next_steps(self, *commands: str) -> None:
        """What to do next: the last lines of every command."""
        self.say("\nNext:")
        for command in commands:
            self.say(f"  {command}")

    def result(self, document: dict[str, Any]) -> None:
        """The one JSON object; nothing without `--json`."""
        if self.as_json:
            print(without_passwords(json.dumps(document, ensure_ascii=False, allow_nan=False, default=str)))

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """`with screen.progress("reading", n) as advance: advance(1)`: a bar on a terminal, plain lines elsewhere."""
        if not self.console.is_terminal:
            yield self._plain_progress(what, total)
            return
        with self._bar(what) as bar:
            task = bar.add_task(what, total=total)
            yield lambda by=1: bar.advance(task, by)

    def advancing(self, what: str, total: int) -> Callable[[int], None]:
        """The same as a function, for work that reports from below: the bar goes away when `total` is reached."""
        if not self.console.is_terminal:
            return self._plain_progress(what, total)
        bar = self._bar(what)
        task = bar.add_task(what, total=total)
        bar.start()

        def advance(by: int = 1) -> None:
            bar.advance(task, by)
            if bar.finished:
                bar.stop()

        return advance

    def _bar(self, what: str) -> Progress:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        return Progress(*columns, console=self.console, transient=True)

    def _plain_progress(self, what: str, total: int) -> Callable[[int], None]:
        done = 0
        shown = 0

        def advance(by: int = 1) -> None:
            nonlocal done, shown
            done += by
            quarter = 4 * done // max(total, 1)
            if quarter > shown:
                shown = quarter
                self.say(f"{what}: {done:,} of {total:,}")

        return advance


def _plain(cell: str) -> str:
    return cell.replace("[", r"\[")
