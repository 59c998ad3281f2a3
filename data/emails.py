"""An e-mail address is reduced where it comes in: to its domain, its kind and a keyed hash. It is never kept."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from functools import cache

from data import packaged

KEY_VARIABLE = "LEADLIFT_EMAIL_HASH_KEY"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True)
class Email:
    """What is kept of an address. `kind` is one of records.EMAIL_KINDS; `hash` is null without a key."""

    domain: str
    kind: str
    hash: str | None


def hash_key() -> bytes | None:
    """The key of the hashes, from the environment only; None where there is none."""
    key = os.environ.get(KEY_VARIABLE, "")
    return key.encode() or None


@cache
def _kinds() -> dict[str, str]:
    return packaged.email_kinds()


def _kind(local: str, domain: str) -> str:
    return _kinds().get(domain) or _kinds().get(local) or "business"


def reduce_address(address: str, key: bytes | None) -> Email:
    """Domain, kind and HMAC-SHA256 of the trimmed lower-case address.

    A free or disposable domain decides before a role such as `info@`. The hash serves merges only.

    Raises
    ------
    ValueError
        for what is no address; the message does not repeat it.
    """
    clean = address.strip().lower()
    if not _ADDRESS.fullmatch(clean):
        raise ValueError("expected an e-mail address")
    local, _, domain = clean.rpartition("@")
    digest = hmac.new(key, clean.encode(), hashlib.sha256).hexdigest() if key else None
    return Email(domain, _kind(local.split("+")[0], domain), digest)
