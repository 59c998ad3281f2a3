"""Names of what `prepared` writes and the service reads."""

from __future__ import annotations

BYS = ("type", "content", "topic", "stage")  # how contents are looked at
ATTRIBUTES = ("industry", "country", "employees")  # of leads, that segments are made of
LEAST = 5  # people of a group that is shown
NO_PATH, OTHER, UNKNOWN = "(no page view)", "(other)", "(unknown)"
