"""Salesforce ids: 15 characters that tell capitals apart, or 18 that also work where capitals are lost."""

from __future__ import annotations

import re

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-5]{3})?")


def long_id(text: str) -> str:
    """The 18 characters of an id of 15 or 18.

    Each of the last three characters stands for five of the first fifteen: bit k is set where character k is a
    capital. Of 18 characters the last three therefore restore capitals that a spreadsheet has lost.

    >>> long_id("00QD000000abcDE"), long_id("00qd000000abcdeMAY")
    ('00QD000000abcDEMAY', '00QD000000abcDEMAY')

    Raises
    ------
    ValueError
        for what is no such id; the message does not repeat it.
    """
    if not _ID.fullmatch(text):
        raise ValueError("expected a Salesforce id of 15 or 18 characters")
    if len(text) == 15:
        return text + _suffix(text)
    suffix = text[15:].upper()
    restored = "".join(
        c.upper() if _ALPHABET.index(suffix[i // 5]) >> i % 5 & 1 else c.lower() for i, c in enumerate(text[:15])
    )
    if _suffix(restored) != suffix:
        raise ValueError("expected a Salesforce id whose last three characters fit the others")
    return restored + suffix


def _suffix(text: str) -> str:
    bits = [c.isascii() and c.isupper() for c in text]
    return "".join(_ALPHABET[sum(bit << k for k, bit in enumerate(bits[i : i + 5]))] for i in (0, 5, 10))
