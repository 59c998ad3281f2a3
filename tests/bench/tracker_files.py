"""Made files of Snowplow and GA4 as their warehouses export them: the same visits of one market, told by two trackers.

Visitors come back, some are known by name, campaigns and their click ids bring a third of the visits, 3 % are crawlers
and 2 % of the rows are there twice. Every row has all columns of an export, most of which the import does not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from uuid import UUID

START = datetime(2026, 3, 1, tzinfo=UTC)
SITE = "https://www.example.com"
PAGES = ("/", "/pricing", "/demo", "/product", *(f"/blog/{n}-ways-to-plan-a-project" for n in range(120)),
         *(f"/docs/guide-{n}" for n in range(80)))  # fmt: skip
SOURCES = (("google", "cpc", "brand", "gclid"), ("google", "cpc", "competitors", "gclid"), ("linkedin", "paid-social",
           "planning-2026", ""), ("newsletter", "email", "march", ""), ("facebook", "paid-social", "retargeting",
           "fbclid"))  # fmt: skip
REFERRERS = ("https://www.google.com/", "https://www.bing.com/", "https://chatgpt.com/",
             "https://news.ycombinator.com/item", "https://www.linkedin.com/feed/")  # fmt: skip
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
)
CRAWLERS = ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)")  # fmt: skip
BOTS, TWICE, KNOWN, CAMPAIGN, RETURNING = 0.03, 0.02, 0.12, 0.33, 0.45
ATOMIC = """app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id name_tracker v_tracker
v_collector v_etl user_id user_ipaddress user_fingerprint domain_userid domain_sessionidx network_userid geo_country
geo_region geo_city geo_zipcode geo_latitude geo_longitude geo_region_name ip_isp ip_organization ip_domain ip_netspeed
page_url page_title page_referrer page_urlscheme page_urlhost page_urlport page_urlpath page_urlquery page_urlfragment
refr_urlscheme refr_urlhost refr_urlport refr_urlpath refr_urlquery refr_urlfragment refr_medium refr_source refr_term
mkt_medium mkt_source mkt_term mkt_content mkt_campaign se_category se_action se_label se_property se_value tr_orderid
tr_affiliation tr_total tr_tax tr_shipping tr_city tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price
ti_quantity pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent br_name br_family br_version br_type
br_renderengine br_lang br_features_pdf br_features_flash br_features_java br_features_director br_features_quicktime
br_features_realplayer br_features_windowsmedia br_features_gears br_features_silverlight br_cookies br_colordepth
br_viewwidth br_viewheight os_name os_family os_manufacturer os_timezone dvce_type dvce_ismobile dvce_screenwidth
dvce_screenheight doc_charset doc_width doc_height tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency
ti_price_base base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp refr_domain_userid
refr_dvce_tstamp domain_sessionid derived_tstamp event_vendor event_name event_format event_version event_fingerprint
true_tstamp load_tstamp contexts_com_snowplowanalytics_snowplow_web_page_1_0_0
contexts_com_iab_snowplow_spiders_and_robots_1_0_0""".split()  # noqa: SIM905 - shorter
BROWSED = '"[{""category"":""BROWSER"",""primaryImpact"":""NONE"",""reason"":""PASSED_ALL"",""spiderOrRobot"":false}]"'
ROBOT = (
    BROWSED.replace("false", "true").replace("BROWSER", "SPIDER_OR_ROBOT").replace("PASSED_ALL", "FAILED_UA_INCLUDE")
)
NETWORKS = {"gclid": "Google", "fbclid": "Facebook"}


@dataclass(frozen=True)
class Visit:
    """A session: pages as (URL, page before, seconds there); source = source, medium, campaign, click id's name."""

    visitor: int
    number: int
    user: str
    agent: str
    at: datetime
    source: tuple[str, str, str, str] | None
    click: str
    pages: list[tuple[str, str, float]]


def visits(a_day: int) -> Iterator[Visit]:
    """Endless visits, in the order of their starts."""
    random, counts, at = Random(0), [0], START
    while True:
        at += timedelta(seconds=random.expovariate(a_day / 86_400))
        if random.random() < RETURNING:
            visitor = random.randrange(len(counts))
        else:
            visitor = len(counts)
            counts.append(0)
        counts[visitor] += 1
        yield _visit(random, visitor, counts[visitor], at)


def _visit(random: Random, visitor: int, number: int, at: datetime) -> Visit:
    source = random.choice(SOURCES) if random.random() < CAMPAIGN else None
    click = f"{random.getrandbits(200):050x}" if source and source[3] else ""
    bot = visitor % 100 < BOTS * 100
    agent = CRAWLERS[visitor % 2] if bot else BROWSER.format(90 + visitor % 45)
    before = REFERRERS[random.randrange(5)] if random.random() < 0.6 else ""
    pages = []
    for step in range(1 + min(int(random.expovariate(0.4)), 11)):
        url = SITE + PAGES[min(int(random.expovariate(0.05)), len(PAGES) - 1)]
        if not step and source:
            url += f"?utm_source={source[0]}&utm_medium={source[1]}&utm_campaign={source[2]}"
            url += f"&{source[3]}={click}" if click else ""
        pages.append((url, before, random.expovariate(1 / 35)))
        before = url
    user = f"lead-{visitor}" if visitor % 100 >= (1 - KNOWN) * 100 else ""
    return Visit(visitor, number, user, agent, at, source, click, pages)


def write(path: Path, rows: Iterator[str], count: int) -> None:
    """The next `count` rows, one a line; Snowplow's files have a header."""
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write(",".join(ATOMIC) + "\n")
        file.writelines(islice(rows, count))


def twice(rows: Iterator[str]) -> Iterator[str]:
    """The same rows, some of them told again."""
    random = Random(1)
    for row in rows:
        yield row
        if random.random() < TWICE:
            yield row


def snowplow() -> Iterator[str]:
    """Page views, and page pings every ten seconds; about 125,000 rows a day."""
    random = Random(2)
    for visit in visits(11_800):
        session, at = _uuid(random), visit.at
        for page in visit.pages:
            view = _uuid(random)
            yield _atomic(random, visit, page, "page_view", at, session, view)
            for beat in range(1, 1 + min(int(page[2] / 10), 12)):
                yield _atomic(random, visit, page, "page_ping", at + timedelta(seconds=10 * beat), session, view)
            at += timedelta(seconds=page[2])


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _time(at: datetime, plus_ms: int = 0) -> str:
    return f"{at + timedelta(milliseconds=plus_ms):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _atomic(
    random: Random, visit: Visit, page: tuple[str, str, float], name: str, at: datetime, session: str, view: str
) -> str:
    url, before, _ = page
    place, _, query = url.partition("?")
    host = before.split("/")[2] if before else ""
    source, medium, campaign, kind = visit.source if visit.source and query else ("", "", "", "")
    who, arrived = f"{visit.visitor:032x}", 40 + random.randrange(900)
    ping = name == "page_ping"
    cells = {
        "app_id": "website", "platform": "web", "etl_tstamp": _time(at, arrived + 1500),
        "collector_tstamp": _time(at, arrived), "dvce_created_tstamp": _time(at), "event": name,
        "event_id": _uuid(random),
        "name_tracker": "sp", "v_tracker": "js-3.24.0", "v_collector": "ssc-3.2.0-kinesis",
        "v_etl": "snowplow-enrich-kinesis-5.0.0-common-5.0.0", "user_id": visit.user, "user_ipaddress": "203.0.113.0",
        "domain_userid": who, "domain_sessionidx": str(visit.number), "network_userid": who[::-1], "geo_country": "DE",
        "geo_region": "BE", "geo_city": "Berlin", "geo_zipcode": "10115", "geo_latitude": "52.5",
        "geo_longitude": "13.4",
        "geo_region_name": "Land Berlin", "page_url": url, "page_title": '"Plan, track and finish projects | Example"',
        "page_referrer": before, "page_urlscheme": "https", "page_urlhost": "www.example.com", "page_urlport": "443",
        "page_urlpath": place.removeprefix(SITE), "page_urlquery": query, "refr_urlscheme": "https" if before else "",
        "refr_urlhost": host, "refr_medium": "search" if "google" in host else "", "mkt_medium": medium,
        "mkt_source": source, "mkt_campaign": campaign, "pp_xoffset_min": "0" if ping else "",
        "pp_yoffset_max": "870" if ping else "", "useragent": f'"{visit.agent}"', "br_name": "Chrome",
        "br_family": "Chrome", "br_lang": "de-DE", "br_cookies": "true", "br_colordepth": "24", "br_viewwidth": "1440",
        "br_viewheight": "789", "os_name": "Windows 10", "os_family": "Windows", "os_timezone": "Europe/Berlin",
        "dvce_type": "Computer", "dvce_ismobile": "false", "dvce_screenwidth": "1440", "dvce_screenheight": "900",
        "doc_charset": "UTF-8", "doc_width": "1440", "doc_height": "5210", "geo_timezone": "Europe/Berlin",
        "mkt_clickid": visit.click if kind else "", "mkt_network": NETWORKS.get(kind, ""),
        "dvce_sent_tstamp": _time(at, 8), "domain_sessionid": session, "derived_tstamp": _time(at, arrived - 8),
        "event_vendor": "com.snowplowanalytics.snowplow", "event_name": name, "event_format": "jsonschema",
        "event_version": "1-0-0", "event_fingerprint": f"{random.getrandbits(128):032x}",
        "load_tstamp": _time(at, arrived + 300_000),
        "contexts_com_snowplowanalytics_snowplow_web_page_1_0_0": f'"[{{""id"":""{view}""}}]"',
        "contexts_com_iab_snowplow_spiders_and_robots_1_0_0": ROBOT if "Googlebot" in visit.agent else BROWSED,
    }  # fmt: skip
    return ",".join([cells.get(name, "") for name in ATOMIC]) + "\n"


def ga4() -> Iterator[str]:
    """Starts, first visits, page views, scrolls, engagement and now and then a lead; about 125,000 rows a day."""
    random = Random(3)
    for visit in visits(18_000):
        at, before_ms, number = visit.at, 0, 0
        for step, (url, before, seconds) in enumerate(visit.pages):
            names = ["page_view"]
            if not step:
                names = ["session_start", *(["first_visit"] if visit.number == 1 else []), "page_view"]
            for name in names:
                number += 1
                yield _ga4(visit, url, before, name, at, before_ms if name == "page_view" else 0, number, not step)
            at += timedelta(seconds=seconds / 2)
            spent, later = int(seconds * 500), ["scroll"] if seconds > 20 else []
            if "/demo" in url and random.random() < 0.2:
                later += ["form_start", "form_submit", "generate_lead"]
            if step == len(visit.pages) - 1:
                later.append("user_engagement")
            for name in later:
                number += 1
                yield _ga4(visit, url, before, name, at, spent, number, False)
                spent = 1
            at, before_ms = at + timedelta(seconds=seconds / 2), int(seconds * 1000) - (spent if later else 0)


def _ga4(visit: Visit, url: str, before: str, name: str, at: datetime, spent: int, number: int, first: bool) -> str:
    micros, session = int(at.timestamp() * 1_000_000), int(visit.at.timestamp())
    params: dict[str, str | int] = {
        "ga_session_id": session, "ga_session_number": visit.number, "page_location": url,
        "page_title": "Plan, track and finish projects | Example", "session_engaged": "1", "engaged_session_event": 1,
    }  # fmt: skip
    params |= {"page_referrer": before} if before else {}
    params |= {"engagement_time_msec": spent} if spent > 0 else {}
    params |= {"entrances": 1} if first and name == "page_view" else {}
    params |= {"percent_scrolled": 90} if name == "scroll" else {}
    row = {
        "event_date": f"{at:%Y%m%d}", "event_timestamp": str(micros), "event_name": name,
        "event_params": [{"key": k, "value": {"int_value": str(v)} if isinstance(v, int) else {"string_value": v}}
                         for k, v in params.items()],
        "event_bundle_sequence_id": str(number), **({"user_id": visit.user} if visit.user else {}),
        "user_pseudo_id": f"{visit.visitor * 7919 % 10**10:010d}.{1770000000 + visit.visitor}",
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "Yes", "uses_transient_token": "No"},
        "user_properties": [], "user_first_touch_timestamp": str(micros - 86_400_000_000 * (visit.number - 1)),
        "user_ltv": {"revenue": 0.0, "currency": "USD"},
        "device": {"category": "desktop", "mobile_brand_name": "Google", "mobile_model_name": "Chrome",
                   "operating_system": "Windows", "operating_system_version": "Windows 10", "language": "de-de",
                   "is_limited_ad_tracking": "No",
                   "web_info": {"browser": "Chrome", "browser_version": "134.0", "hostname": "www.example.com"}},
        "geo": {"city": "Berlin", "country": "Germany", "continent": "Europe", "region": "Berlin",
                "sub_continent": "Western Europe", "metro": "(not set)"},
        "traffic_source": {"name": "(direct)", "medium": "(none)", "source": "(direct)"},
        "stream_id": "2054831201", "platform": "WEB", **_sources(visit, first), "is_active_user": True,
        "batch_event_index": str(number), "batch_page_id": str(micros // 1000), "batch_ordering_id": "1",
    }  # fmt: skip
    return json.dumps(row, separators=(",", ":")) + "\n"


def _sources(visit: Visit, first: bool) -> dict[str, object]:
    if visit.source is None:
        organic = {"source": "google", "medium": "organic", "campaign_name": "(organic)"}
        return {"session_traffic_source_last_click": {"manual_campaign": organic}}
    source, medium, campaign, kind = visit.source
    collected = {"manual_source": source, "manual_medium": medium, "manual_campaign_name": campaign}
    last = {"manual_campaign": {"campaign_id": "7", "campaign_name": campaign, "source": source, "medium": medium}}
    clicked = {"gclid": visit.click} if kind == "gclid" else {}
    here = {"collected_traffic_source": collected | clicked} if first else {}
    return {**here, "session_traffic_source_last_click": last}
