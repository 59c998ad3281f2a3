"""Keys: who may call the service, kept in `HOME/keys.json`, which its owner alone may read.

    key, token = create(home, "crm", ("score",), when)      the token is shown once and never kept
    revoke(home, "crm", when)
    Keys(home).find(token)                                  what a worker asks; sees changes without a restart

A token is `leadlift_<id>_<secret>`. Of the secret only a salted scrypt hash is kept: about 50 ms of a core and 16 MB for
each guess. A worker remembers a fast digest of a token it has accepted, under a secret of its own, until the file
changes. A file that cannot be read opens nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from data.errors import InputError, UsageError
from data.files import replace_text

Scope = Literal["score", "ingest", "insights", "leads", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FILE, PREFIX, MAX_TOKEN = "keys.json", "leadlift", 200
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
_log = logging.getLogger("leadlift")


@dataclass(frozen=True)
class Key:
    """One key as it is kept. salt and hash: hex; both empty once revoked. Times: ISO 8601; revoked_at null = valid."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    salt: str
    hash: str
    revoked_at: str | None = None

    def opened_by(self, secret: str) -> bool:
        """Whether the secret is this key's, in a time that does not depend on how much of it is right."""
        found = _hash(secret, bytes.fromhex(self.salt))
        return self.revoked_at is None and hmac.compare_digest(found, self.hash)

    def shown(self) -> dict[str, object]:
        """What people may see of it."""
        return {k: v for k, v in asdict(self).items() if k not in ("salt", "hash")}


def create(home: Path, name: str, scopes: Sequence[str], when: str) -> tuple[Key, str]:
    """A new key and its token, which is kept nowhere.

    Raises
    ------
    UsageError
        for a blank name, one that a valid key has, or an unknown scope.
    """
    wrong = [s for s in scopes if s not in SCOPES]
    if wrong or not scopes:
        raise UsageError(f"--scope: expected {', '.join(SCOPES)}, got {wrong[0] if wrong else 'none'}.")
    with _changing(home) as keys:
        if not name.strip() or any(k.name == name and k.revoked_at is None for k in keys):
            got = f"{name!r}, which a valid key has" if name.strip() else "none"
            raise UsageError(f"--name: expected a name of its own for the key, got {got}. See leadlift keys list.")
        secret, salt, number = secrets.token_urlsafe(32), secrets.token_bytes(16), secrets.token_hex(6)
        keys.append(Key(number, name, tuple(dict.fromkeys(scopes)), when, salt.hex(), _hash(secret, salt)))
    return keys[-1], f"{PREFIX}_{number}_{secret}"


def revoke(home: Path, name_or_id: str, when: str) -> Key:
    """End a valid key; its record stays, its hash does not. A UsageError where no valid key has that name or id."""
    with _changing(home) as keys:
        for i, key in enumerate(keys):
            if name_or_id in (key.id, key.name) and key.revoked_at is None:
                keys[i] = replace(key, revoked_at=when, salt="", hash="")
                return keys[i]
        raise UsageError("keys revoke: expected the name or id of a valid key. See leadlift keys list.")


def read_keys(home: Path) -> list[Key]:
    """All keys, in the order of their making; none where none was ever made, an InputError for a broken file."""
    file = home / FILE
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return [_key(one) for one in document["keys"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError.of(
            where=str(file), expected="the keys", got="a file that cannot be read",
            remedy="Nobody gets in. Bring it back from a backup, or delete it and make all keys anew.",
        ) from None  # fmt: skip


def _key(kept: dict[str, Any]) -> Key:
    bytes.fromhex(kept["salt"])  # a ValueError here, not while somebody waits for an answer
    return Key(**{**kept, "scopes": tuple(kept["scopes"])})


def ever_created(home: Path) -> bool:
    """Whether a key was ever made here, valid or not."""
    return (home / FILE).exists()


@contextmanager
def _changing(home: Path) -> Iterator[list[Key]]:
    """The keys under a lock; what was done to the list is written at the end, or nothing where it failed."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".keys.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        keys = read_keys(home)
        yield keys
        replace_text(home / FILE, json.dumps({"keys": [asdict(k) for k in keys]}, indent=1), mode=0o600)


def _hash(secret: str, salt: bytes) -> str:
    return hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT).hex()


# -- the worker's view -----------------------------------------------------------------------------------------
class Keys:
    """The keys of a home as they are now: the file is looked at for each request and read where it has changed."""

    def __init__(self, home: Path) -> None:
        self._home, self._file = home, str(home / FILE)
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, Key] = {}
        self._accepted: dict[bytes, Key] = {}
        self._pepper = secrets.token_bytes(32)

    def exist(self) -> bool:
        """Whether a key was ever made here."""
        self._refresh()
        return self._seen is not None

    def remembered(self, token: str) -> Key | None:
        """The key of a token that was accepted before; quick."""
        self._refresh()
        return self._accepted.get(self._digest(token))

    def valid(self, number: str) -> Key | None:
        """The valid key of that id."""
        self._refresh()
        return self._keys.get(number)

    def find(self, token: str) -> Key | None:
        """The valid key of a token, or None; slow for one not seen before whose id exists."""
        known = self.remembered(token)
        if known:
            return known
        prefix, _, rest = token[:MAX_TOKEN].partition("_")
        number, _, secret = rest.partition("_")
        seen, key = self._seen, self._keys.get(number)
        if prefix != PREFIX or key is None or not key.opened_by(secret):
            return None
        if seen == self._seen:  # else it may have been revoked meanwhile
            self._accepted[self._digest(token)] = key
        return key

    def _digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), key=self._pepper, digest_size=32).digest()

    def _refresh(self) -> None:
        seen = _state(self._file)
        if seen == self._seen:
            return
        try:
            keys = read_keys(self._home)
        except InputError as broken:
            _log.error("%s", broken)
            keys = []
        self._accepted = {}
        self._keys = {k.id: k for k in keys if k.revoked_at is None}
        self._seen = seen


def _state(file: str) -> tuple[int, ...] | None:
    """What changes when the file does; None where there is none."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size
