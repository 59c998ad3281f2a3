"""Bodies that are not quite JSON are refused, and refusals repeat nothing of them."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.problem import RequestError
from serving.strict_json import loads


@pytest.mark.parametrize(
    "body",
    [
        b"", b"  ", b"{", b"[1,]", b"{'a':1}", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}',
        b"\xff\xfe", b'{"a":"\xc3"}', b'{"a":"\\ud800"}', b'{"a":"x\\u0000"}', b"[" * 100_000, b"1" * 10_000,
        b'{"a":01}', b'{"a":1}{"b":2}', b"\xef\xbb\xbf{}", b'{"a":"\n"}',
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused(body):
    with pytest.raises(RequestError) as caught:
        loads(body)
    assert caught.value.problem.status == 400


@pytest.mark.parametrize("body", [b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\\\u0000"}', b'{"a":"\xf0\x9f\x98\x80"}'])
def test_whole_characters_pass(body):
    assert loads(body) == json.loads(body)


texts = st.text('aZ é€😀"\\/\n\t', max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**15), 10**15)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@given(json_values, st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(value, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert loads(body) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body):
    with contextlib.suppress(RequestError):
        loads(body)
