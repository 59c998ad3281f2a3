"""JSON as its standard has it: UTF-8, no NaN or Infinity, no key twice, no half characters."""

from __future__ import annotations

import json
import re
from typing import Any

from serving.problem import RequestError, refuse

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def loads(body: bytes) -> Any:
    """Parse a body. A number beyond a float becomes infinite here; the request's types refuse it by field.

    Raises
    ------
    RequestError
        400, without anything of the body in its text.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse("The body is not UTF-8.") from None
    if not text.strip():
        raise refuse("The body is empty; expected one JSON object.")
    try:
        document = _DECODER.decode(text)
    except RequestError:
        raise
    except json.JSONDecodeError as bad:
        raise refuse(f"The body is not JSON: line {bad.lineno}, column {bad.colno}.") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, or brackets without end
        raise refuse("The body is not JSON that can be read: a number too long or brackets too deep.") from None
    _check_escapes(text, document)
    return document


def _check_escapes(text: str, document: Any) -> None:
    """Half a surrogate pair cannot be written as UTF-8 again, and NUL is no text in any database."""
    if "\\u" not in text:
        return
    if "\\u0000" in text and _NUL.search(text):
        raise refuse("The body contains a NUL character.")
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise refuse("The body contains half of a surrogate pair.") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refuse("An object of the body has a key twice.")
    return found


def _constant(name: str) -> Any:
    raise refuse(f"The body contains {name}, which is not JSON; leave the field out or send null.")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
