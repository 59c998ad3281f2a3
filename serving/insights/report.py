"""The report: every view of one target in one file that opens without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path

from data.dataset import Dataset
from data.files import replace_text
from data.settings import Settings
from serving.insights.choice import Choice
from serving.insights.edition import read_edition
from serving.insights.page import report_page
from serving.insights.publish import Plan, write_edition
from serving.insights.views import view_of
from serving.insights.words import VIEWS


def write_report(file: Path, dataset: Dataset, settings: Settings, now: int, plan: Plan, choice: Choice) -> None:
    """The report of the choice's target, in its language.

    Raises
    ------
    Verdict, InputError
        where nobody has matured, or the target cannot be told of this dataset.
    """
    with tempfile.TemporaryDirectory(prefix="leadlift-report-") as folder:
        place = Path(folder) / "edition"
        write_edition(place, dataset, settings, now, plan, (choice.target,), lambda done: None)
        edition = read_edition(place)
        text = report_page(edition, [view_of(edition, name, choice) for name in VIEWS], choice)
    replace_text(file, text)
