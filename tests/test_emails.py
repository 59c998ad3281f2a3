"""What is kept of an e-mail address, of a URL and of a referrer."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.emails import reduce_address
from data.importers.rejects import RowError
from data.importers.urls import host, page


@pytest.mark.parametrize(
    ("address", "domain", "kind"),
    [
        (" Ada.Lovelace@Example.COM ", "example.com", "business"),
        ("ada@gmail.com", "gmail.com", "free"),
        ("info@gmail.com", "gmail.com", "free"),
        ("info+de@example.com", "example.com", "role"),
        ("x@mailinator.com", "mailinator.com", "disposable"),
    ],
)
def test_domain_and_kind(address: str, domain: str, kind: str) -> None:
    email = reduce_address(address, None)
    assert (email.domain, email.kind, email.hash) == (domain, kind, None)


def test_the_hash_is_hmac_sha256_of_the_trimmed_lower_case_address() -> None:
    expected = hmac.new(b"key", b"ada@example.com", hashlib.sha256).hexdigest()
    assert reduce_address("  ADA@example.com", b"key").hash == expected


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@example.com", "a b@example.com", "ada@example", "a@b@example.com"]
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected an e-mail address$"):
        reduce_address(text, None)


def test_a_url_loses_query_fragment_user_and_addresses() -> None:
    kept = page("https://me:pw@Www.Example.org:8443/a/jane@x.com/b?utm_source=Bing&msclkid=1&mail=jane@x.com#top")
    assert kept.url == "https://www.example.org:8443/a/-/b"
    assert (kept.source, kept.medium, kept.click_id_kind) == ("Bing", None, "msclkid")
    assert page("/pricing?x=1").url == "/pricing"


@given(st.text(max_size=40))
def test_any_text_is_a_page_without_query_or_a_rejected_row(text: str) -> None:
    try:
        kept = page(text).url
    except RowError:
        kept = ""
    assert not {"?", "#"} & set(kept)


def test_a_referrer_may_be_a_url_or_a_host() -> None:
    assert host("https://News.Example.org/x?y=1") == host("news.example.org") == "news.example.org"
