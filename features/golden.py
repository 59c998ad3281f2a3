"""The golden digest of each catalogue family over 20 fixed journeys: what the family means.

`tests/test_family_golden.py` computes them anew. A family whose digest would change gets a new name (`_v2`) instead;
bundles store the digests of their families and are refused where they differ. A plain literal, so that the service
reads no file for it.
"""

from __future__ import annotations

DIGESTS: dict[str, str] = {}
