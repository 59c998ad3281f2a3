"""Where a visit came from, rule by rule."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from data.packaged import source_categories
from features.channels import CHANNELS, SHORT, Touch, category_of, channel, channel_finder

CATEGORIES = {
    "google": "search", "google.com": "search", "bing": "search", "facebook.com": "social", "youtube.com": "video",
    "amazon.com": "shopping", "chatgpt.com": "ai_assistant", "mailer": "email",
}  # fmt: skip
OWN = ("example.com",)


@pytest.mark.parametrize(
    ("touch", "expected"),
    [
        (Touch(), "direct"),
        (Touch("(direct)", "(none)"), "direct"),
        (Touch("(direct)", "email"), "email"),
        (Touch("google", "cpc", "x cross-network y"), "cross_network"),
        (Touch("amazon.com", "cpc"), "paid_shopping"),
        (Touch("google", "cpc", "summer shop"), "paid_shopping"),
        (Touch("google", "cpc", "workshop"), "paid_search"),
        (Touch("Google ", " CPC"), "paid_search"),
        (Touch("bing", "paid_search"), "paid_search"),
        (Touch("facebook.com", "paidsocial"), "paid_social"),
        (Touch("youtube.com", "cpv_cpc"), "paid_video"),
        (Touch("news.org", "banner"), "display"),
        (Touch("news.org", "cpm"), "display"),
        (Touch("google", "cpm"), "paid_search"),
        (Touch("news.org", "retargeting"), "paid_other"),
        (Touch("chatgpt.com"), "ai_assistant"),
        (Touch(referrer_host="chatgpt.com"), "ai_assistant"),
        (Touch("amazon.com", "referral"), "organic_shopping"),
        (Touch("somebody", "social-media"), "organic_social"),
        (Touch("youtube.com"), "organic_video"),
        (Touch("anything", "organic"), "organic_search"),
        (Touch("partner.org", "referral"), "referral"),
        (Touch("newsletter", "e-mail"), "email"),
        (Touch("mailer", "spring"), "email"),
        (Touch("partner", "affiliate"), "affiliates"),
        (Touch("radio", "audio"), "audio"),
        (Touch("sms", "text"), "sms"),
        (Touch("app", "web-push"), "mobile_push"),
        (Touch("firebase", "x"), "mobile_push"),
        (Touch("who", "knows"), "unassigned"),
    ],
)
def test_first_rule_that_holds_names_the_channel(touch: Touch, expected: str) -> None:
    assert channel(touch, CATEGORIES, OWN) == expected
    assert expected in CHANNELS


@pytest.mark.parametrize(
    ("touch", "expected"),
    [
        (Touch(click_id_kind="gclid"), "paid_search"),
        (Touch(referrer_host="www.google.com", click_id_kind="gclid"), "paid_search"),
        (Touch("google", click_id_kind="gclid"), "paid_search"),
        (Touch(click_id_kind="msclkid"), "paid_search"),
        (Touch("newsletter", "email", click_id_kind="gclid"), "email"),
        (Touch(click_id_kind="fbclid"), "direct"),
    ],
)
def test_click_ids_speak_where_nothing_else_does(touch: Touch, expected: str) -> None:
    assert channel(touch, CATEGORIES, OWN) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("www.google.com", "organic_search"), ("m.facebook.com", "organic_social"), ("blog.other.org", "referral")],
)
def test_referrers_speak_where_no_campaign_does(host: str, expected: str) -> None:
    assert channel(Touch(referrer_host=host), CATEGORIES, OWN) == expected
    assert channel(Touch("newsletter", "email", referrer_host=host), CATEGORIES, OWN) == "email"


@pytest.mark.parametrize("host", ["example.com", "www.example.com", "WWW.Example.com"])
def test_own_hosts_are_no_source(host: str) -> None:
    assert channel(Touch(referrer_host=host), CATEGORIES, OWN) == "direct"


@pytest.mark.parametrize("host", ["notexample.com", "example.com.evil.org"])
def test_hosts_that_look_like_ours_are_not(host: str) -> None:
    assert channel(Touch(referrer_host=host), CATEGORIES, OWN) == "referral"


@pytest.mark.parametrize(
    ("source", "category"),
    [
        ("google", "search"),
        ("www.google.co.uk", "search"),
        ("google.pt", "search"),
        ("google.evil.com", None),
        (None, None),
    ],
)
def test_categories_are_found_by_name_parent_or_country(source: str | None, category: str | None) -> None:
    assert category_of(source, CATEGORIES) == category


@pytest.mark.parametrize("campaign", [None, "summer shop", "x" * SHORT + "-shop"])
def test_a_remembered_channel_is_the_one_the_rules_give(campaign: str | None) -> None:
    find = channel_finder(CATEGORIES, OWN)
    touches = [Touch("google", "cpc", campaign), Touch(None, None, campaign), Touch(None, "google", campaign)]
    expected = [CHANNELS.index(channel(touch, CATEGORIES, OWN)) for touch in touches]
    assert [[find(*astuple(touch)) for touch in touches] for _ in range(2)] == [expected] * 2


def test_the_packaged_table_knows_only_categories_the_rules_ask_for() -> None:
    assert set(source_categories().values()) <= {"search", "social", "shopping", "video", "ai_assistant", "email"}
