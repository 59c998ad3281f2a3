"""An e-mail address is reduced where it comes in: to its domain, its kind and a keyed hash. It is never kept."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from functools import lru_cache

KEY_VARIABLE = "LEADLIFT_EMAIL_HASH_KEY"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

FREE = frozenset(
    """gmail.com googlemail.com yahoo.com yahoo.de yahoo.co.uk yahoo.fr yahoo.co.in ymail.com rocketmail.com hotmail.com
    hotmail.de hotmail.co.uk hotmail.fr outlook.com outlook.de live.com live.de live.co.uk msn.com icloud.com me.com
    mac.com aol.com gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de arcor.de mail.com mail.de
    posteo.de mailbox.org proton.me protonmail.com pm.me tutanota.com tuta.io fastmail.com zoho.com yandex.com yandex.ru
    mail.ru bk.ru inbox.ru qq.com 163.com 126.com sina.com naver.com hanmail.net rediffmail.com orange.fr wanadoo.fr
    free.fr laposte.net libero.it virgilio.it uol.com.br bol.com.br comcast.net verizon.net att.net bluewin.ch""".split()
)
DISPOSABLE = frozenset(
    """mailinator.com guerrillamail.com guerrillamail.net guerrillamail.org sharklasers.com 10minutemail.com
    10minutemail.net temp-mail.org tempmail.com tempmail.net temp-mail.io throwawaymail.com yopmail.com yopmail.net
    yopmail.fr trashmail.com trashmail.de trash-mail.com wegwerfmail.de wegwerfmail.net byom.de spambog.com
    getnada.com nada.email maildrop.cc dispostable.com mailnesia.com mailcatch.com mintemail.com mohmal.com emailondeck.com
    fakeinbox.com discard.email spamgourmet.com mytemp.email burnermail.io tempail.com moakt.com tmpmail.org
    einrot.com muellmail.com""".split()
)
ROLES = frozenset(
    """info contact kontakt office buero sales vertrieb verkauf marketing support help hilfe service admin administrator
    hello hallo team mail post postmaster webmaster hr jobs careers bewerbung billing invoice rechnung accounting
    buchhaltung einkauf purchasing newsletter press presse noreply no-reply donotreply enquiries inquiries""".split()
)


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


@lru_cache(maxsize=65_536)
def _kind(domain: str, is_role: bool) -> str:
    if domain in DISPOSABLE:
        return "disposable"
    if domain in FREE:
        return "free"
    return "role" if is_role else "business"


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
    return Email(domain, _kind(domain, local.split("+")[0] in ROLES), digest)
