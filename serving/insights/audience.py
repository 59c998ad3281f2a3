"""Whom one may write to: open leads on a path, with a confirmed permission to be contacted."""

from __future__ import annotations

import numpy as np

from serving.insights.choice import Choice
from serving.insights.edition import Edition
from serving.insights.tables import Column, Table


def audience(edition: Edition, choice: Choice, path: str) -> Table:
    """The leads of a choice whose path up to the landmark is `path` (its text) and who have not converted.

    Permission and openness are those of the moment the page was prepared for.
    """
    part = edition.parts[choice.target]
    texts = [" > ".join(p) for p in part.about["paths"][choice.by][:-1]]
    code = texts.index(path) if path in texts else -1
    open_ = part.open
    mask = part.mask(choice, open_) & (open_.column(f"path_{choice.by}") == code)
    ids = part.lead_ids()
    rows = [{"lead_id": ids[i], "path": path, "as_of": edition.about["as_of"]} for i in np.flatnonzero(mask).tolist()]
    columns = (
        Column("lead_id", ("lead_id", "lead_id")),
        Column("path", ("Path", "Pfad")),
        Column("as_of", ("as of", "Stand")),
    )
    return Table("audience", "paths", ("Audience", "Zielgruppe"), columns, rows)
