"""Night after night gives what one import of everything gives; a crash at any step leaves the old state."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from data.dataset import People, open_dataset
from data.errors import InputError
from data.importers.report import ImportReport
from data.importers.table import import_tables
from data.lake import Lake
from data.mapping import load_mapping
from data.records import DAY, Coded
from data.settings import Settings
from data.times import to_micros
from features.build import FeatureSet
from tests.cases import fitted_feature_set
from tests.crash import killed_at
from tests.nightly import START, tables, whole

MAPPING = """
[dataset]
name = "nightly"
timezone = "UTC"

[[table]]
match = "leads_*.csv"
optional = true
record = "lead"
exported = "leads_%Y-%m-%d"
columns = { lead_id = "id", created_at = "created", title = "title", country = "country", visitor_id = "visitor" }

[[table]]
match = "web_*.csv"
optional = true
record = "event"
columns = { event_id = "id", visitor_id = "who", occurred_at = "at", received_at = "got", type = "type", url = "url" }

[[table]]
match = "ga_*.csv"
optional = true
record = "event"
restates = "day"
columns = { event_id = "id", visitor_id = "who", occurred_at = "at", type = "type", url = "url" }

[[table]]
match = "links_*.csv"
optional = true
record = "link"
columns = { visitor_id = "who", lead_id = "id", known_from = "at" }

[[table]]
match = "won_*.csv"
optional = true
record = "outcome"
columns = { lead_id = "id", occurred_at = "at", kind = "kind" }

[[table]]
match = "consents_*.csv"
optional = true
record = "consent"
columns = { lead_id = "id", purpose = "what", given_at = "at", withdrawn_at = "gone" }
"""
HEADS = {
    "leads": "id,created,title,country,visitor", "web": "id,who,at,got,type,url", "ga": "id,who,at,type,url",
    "links": "who,id,at", "won": "id,at,kind", "consents": "id,what,at,gone",
}  # fmt: skip
PAGES = ("/", "/pricing", "/blog/automation/x", "/product/analytics", "/guides/security")
Files = dict[str, list[str]]  # file name -> lines


def text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class World:
    """A company whose exports of each night are drawn from one seed."""

    def __init__(self, seed: int, leads: int = 14) -> None:
        self.rng = random.Random(seed)
        self.leads = [
            {"id": f"L{i}", "day": self.rng.randrange(20), "title": "CTO", "country": "DE"} for i in range(leads)
        ]
        self.web: list[str] = []
        self.number = 0
        self.ga: dict[int, list[str]] = {}

    def night(self, day: int) -> Files:
        """The files of one night: some with rows of nights before, one that tells an earlier day anew."""
        name = (START + timedelta(days=day)).strftime("%Y-%m-%d")
        files = {f"web_{name}.csv": self._web(day), f"leads_{name}.csv": self._profiles(day)}
        files |= {f"links_{name}.csv": self._links(day), f"won_{name}.csv": self._won(day)}
        files[f"consents_{name}.csv"] = self._consents(day)
        return {n: lines for n, lines in (files | self._ga(day)).items() if lines}

    def _moment(self, day: int) -> datetime:
        return START + timedelta(days=day, seconds=self.rng.randrange(86_400))

    def _visit(self, at: datetime) -> tuple[str, str, str, str]:
        self.number += 1
        who = f"v{self.rng.randrange(20)}"
        return f"e{self.number}", who, text_of(at), f"page_view,https://www.example.com{self.rng.choice(PAGES)}"

    def _web(self, day: int) -> list[str]:
        """Tonight's events, some of them days late, and some of those told before."""
        rows = []
        for _ in range(self.rng.randrange(12)):
            at = self._moment(max(0, day - self.rng.choice((0, 0, 0, 1, 5))))
            event, who, when, rest = self._visit(at)
            rows.append(f"{event},{who},{when},{text_of(max(at, START + timedelta(days=day, hours=1)))},{rest}")
        again = self.rng.sample(self.web, min(len(self.web), 4))
        self.web += rows
        return rows + again

    def _ga(self, day: int) -> Files:
        self.ga[day] = [",".join(self._visit(self._moment(day))) for _ in range(1 + self.rng.randrange(4))]
        days = {day}
        if day and self.rng.random() < 0.5:
            earlier = max(0, day - self.rng.randrange(1, 4))
            self.ga[earlier] = [*self.ga[earlier][1:], ",".join(self._visit(self._moment(earlier)))]
            days.add(earlier)
        return {f"ga_{(START + timedelta(days=d)):%Y-%m-%d}.csv": list(self.ga[d]) for d in days}

    def _profiles(self, day: int) -> list[str]:
        known = [x for x in self.leads if int(str(x["day"])) <= day]
        for lead in known:
            if self.rng.random() < 0.15:
                lead["title"] = self.rng.choice(("CTO", "Head of Marketing", "Intern", ""))
        return [
            f"{x['id']},{text_of(START + timedelta(days=int(str(x['day'])), hours=3))},{x['title']},{x['country']},"
            f"{'v' + str(x['id'])[1:] if int(str(x['id'])[1:]) % 3 == 0 else ''}"
            for x in known
        ]  # fmt: skip

    def _links(self, day: int) -> list[str]:
        return [
            f"v{self.rng.randrange(20)},L{self.rng.randrange(len(self.leads))},{text_of(self._moment(day))}"
            for _ in range(self.rng.randrange(3))
        ]

    def _won(self, day: int) -> list[str]:
        won = [f"L{i},{text_of(START + timedelta(days=10 + i))},converted" for i in range(5) if 10 + i <= day]
        return won[-3:]  # overlapping: each is told three nights long

    def _consents(self, day: int) -> list[str]:
        gone = text_of(START + timedelta(days=12)) if day >= 12 else ""
        return [f"L{i},tracking,{text_of(START + timedelta(days=2))},{gone}" for i in range(3) if day % 6 == i]


def write(folder: Path, files: Files) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_text("\n".join([HEADS[name.partition("_")[0]], *lines]) + "\n")
    return [str(folder / name) for name in files]


def take_in(files: list[str], target: Path, as_of: int | None = None, **data: int) -> ImportReport:
    mapping = target.parent / "m.toml"
    if not mapping.exists():
        mapping.write_text(MAPPING)
    settings = Settings(data={"buckets": 4, "late_share_limit": 1.0, **data})  # type: ignore[arg-type]
    return import_tables(files, load_mapping(mapping), target, settings, as_of=as_of)


def consents(people: People) -> list[tuple[object, ...]]:
    names = ("lead", "given_at", "withdrawn_at")
    return sorted(zip(*(np.asarray(people.consents[n]).tolist() for n in names), strict=True))


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


@pytest.mark.parametrize("seed", [1])
def test_thirty_nights_give_the_features_of_one_import_of_everything(
    seed: int, tmp_path: Path, feature_set: FeatureSet
) -> None:
    world, final = World(seed), Files()
    for day in range(30):
        files = world.night(day)
        take_in(write(tmp_path / f"night{day}", files), tmp_path / "nightly", max_parts=4)
        final |= files
    report = take_in(write(tmp_path / "all", final), tmp_path / "once")
    nightly, once = whole(tmp_path / "nightly"), whole(tmp_path / "once")
    assert nightly.lead_ids == once.lead_ids
    assert len(nightly.events["lead"]) == len(once.events["lead"]) > 100
    days = (3.2, 9, 13, 17.01, 22.5, 27, 31)
    assert tables(nightly, feature_set, days) == tables(once, feature_set, days)
    assert nightly.created_at.tobytes() == once.created_at.tobytes()
    for name in ("leads", "outcomes", "consents"):
        assert len(getattr(nightly, name)["lead"]) == len(getattr(once, name)["lead"])
    assert consents(nightly) == consents(once)
    assert open_dataset(tmp_path / "nightly").info.latest_arrival == open_dataset(tmp_path / "once").info.latest_arrival
    assert not report.appended
    per_folder = Lake(tmp_path / "nightly").manifest.folders()
    assert max(len(files) for folder, files in per_folder.items() if folder.startswith("leads")) <= 4


def test_the_same_file_twice_is_a_no_op_under_any_name(tmp_path: Path) -> None:
    world = World(3)
    files = write(tmp_path / "n", world.night(0) | world.night(1))
    assert take_in(files, tmp_path / "d").written
    before = {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in (tmp_path / "d").rglob("*") if f.is_file()}
    again = take_in(files, tmp_path / "d")
    assert (again.written, len(again.skipped), again.tallies) == (False, len(files), [])
    copy = shutil.copy(files[0], tmp_path / "web_copy.csv")
    assert take_in([str(copy)], tmp_path / "d").skipped == ["web_copy.csv"]
    assert {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in (tmp_path / "d").rglob("*") if f.is_file()} == before


def test_rows_that_were_there_are_counted_and_leave_the_digest_as_it_was(tmp_path: Path) -> None:
    rows = [f"e{i},v{i},2026-03-01T10:00:00Z,,page_view,/" for i in range(6)]
    take_in(write(tmp_path, {"web_1.csv": rows}), tmp_path / "d")
    digest = Lake(tmp_path / "d").info.digest
    report = take_in(write(tmp_path, {"web_2.csv": rows[2:5]}), tmp_path / "d")
    assert (report.written, report.appended, report.added["events"], report.known["events"]) == (False, True, 0, 3)
    assert Lake(tmp_path / "d").info.digest == digest
    more = take_in(
        write(tmp_path, {"web_3.csv": [*rows[:1], "e9,v9,2026-03-02T10:00:00Z,,page_view,/"]}), tmp_path / "d"
    )
    assert (more.written, more.added["events"], more.known["events"]) == (True, 1, 1)
    info = Lake(tmp_path / "d").info
    assert info.digest != digest
    assert (info.counts["events"], info.generation) == (7, 2)
    assert more.complete_through == {"table:web_*.csv:event": "2026-03-01"}


def test_a_restated_day_replaces_the_events_of_its_source_and_day_only(tmp_path: Path) -> None:
    def ga(*rows: tuple[str, str, str]) -> list[str]:
        return [f"{e},{who},2026-03-{day}T10:00:00Z,page_view,/" for e, who, day in rows]

    web = [f"w{d},v0,2026-03-0{d}T10:00:00Z,,page_view,/" for d in (1, 2)]
    first = {"ga_1.csv": ga(("a", "v0", "01"), ("b", "v1", "02"), ("c", "v0", "03")), "web_1.csv": web}
    take_in(write(tmp_path / "1", first), tmp_path / "d")
    report = take_in(write(tmp_path / "2", {"ga_1.csv": ga(("b2", "v7", "02"))}), tmp_path / "d")
    assert (report.replaced, report.added["events"]) == (1, 1)
    assert event_ids(tmp_path / "d") == ["a", "b2", "c", "w1", "w2"]
    take_in(write(tmp_path / "3", {"ga_1.csv": first["ga_1.csv"]}), tmp_path / "d")
    assert event_ids(tmp_path / "d") == ["a", "b", "c", "w1", "w2"]
    assert report.complete_through["table:ga_*.csv:event"] == "2026-02-27"


def event_ids(target: Path) -> list[str]:
    return sorted(Lake(target).table("events").column("event_id").to_pylist())


def test_exports_without_history_build_one_and_only_changes_make_rows(tmp_path: Path) -> None:
    created = "2026-02-20T09:00:00Z"

    def export(day: int, title: str) -> ImportReport:
        lines = [f"L1,{created},{title},DE,", f"L2,{created},CEO,DE,"]
        return take_in(write(tmp_path, {f"leads_2026-03-0{day}.csv": lines}), tmp_path / "d")

    assert [export(d, t).added.get("leads", 2) for d, t in ((1, "CTO"), (2, "CTO"), (3, "CIO"), (4, "CTO"))] == [
        2,
        0,
        1,
        1,
    ]
    people = whole(tmp_path / "d").select("L1")
    title, since = people.leads["title"], np.asarray(people.leads["valid_from"])
    assert isinstance(title, Coded)
    assert title.texts() == ["CTO", "CIO", "CTO"]
    assert ((since - to_micros(START)) / DAY).round(5).tolist() == [1, 3, 4]
    with pytest.raises(InputError, match="in the order of their moments"):
        export(3, "CEO")


def test_a_changed_profile_without_a_moment_is_refused_and_the_option_gives_one(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING.replace('exported = "leads_%Y-%m-%d"\n', ""))
    lines = ["L1,2026-02-20T09:00:00Z,CTO,DE,", "L2,2026-02-20T09:00:00Z,CEO,DE,"]
    take_in(write(tmp_path, {"leads_a.csv": lines}), tmp_path / "d")
    changed = write(tmp_path, {"leads_b.csv": [lines[0].replace("CTO", "CIO"), lines[1]]})
    with pytest.raises(InputError, match=r"1 leads with other values .* --as-of"):
        take_in(changed, tmp_path / "d")
    assert Lake(tmp_path / "d").info.generation == 0
    report = take_in(changed, tmp_path / "d", as_of=to_micros(START))
    assert (report.added["leads"], report.known["leads"]) == (1, 1)


def test_who_has_opened_the_old_generation_reads_on_in_it(tmp_path: Path) -> None:
    world = World(5)
    take_in(write(tmp_path / "0", world.night(0) | world.night(1)), tmp_path / "d", max_parts=1)
    old = Lake(tmp_path / "d")
    before = sorted(old.table("events").column("event_id").to_pylist())
    take_in(write(tmp_path / "2", world.night(2)), tmp_path / "d", max_parts=1)
    assert sorted(old.table("events").column("event_id").to_pylist()) == before != event_ids(tmp_path / "d")


def test_another_market_and_a_second_import_at_once_are_refused(tmp_path: Path) -> None:
    world = World(6)
    files = write(tmp_path / "0", world.night(0))
    take_in(files, tmp_path / "d")
    (tmp_path / "m.toml").write_text(MAPPING.replace('"nightly"', '"other"'))
    with pytest.raises(InputError, match="market nightly, got other"):
        take_in(files, tmp_path / "d")
    (tmp_path / "m.toml").write_text(MAPPING)
    from data.lake_write import LakeWriter

    with (
        LakeWriter(tmp_path / "d", Lake(tmp_path / "d").info, append=True),
        pytest.raises(InputError, match="no other"),
    ):
        take_in(write(tmp_path / "1", world.night(1)), tmp_path / "d")
    assert take_in(write(tmp_path / "1", world.night(1)), tmp_path / "d").written


# -- crashes ---------------------------------------------------------------------------------------------------
def state(target: Path) -> Mapping[str, object]:
    lake = Lake(target)
    people = whole(target)
    return {
        "digest": lake.info.digest,
        "events": event_ids(target),
        "leads": people.lead_ids,
        "rows": len(people.leads["lead"]),
    }


def test_a_kill_at_any_step_leaves_the_old_state_and_the_next_import_makes_the_new_one(tmp_path: Path) -> None:
    world = World(7)
    take_in(write(tmp_path / "0", world.night(0)), tmp_path / "old", buckets=1)
    take_in(write(tmp_path / "1", world.night(1)), tmp_path / "old", buckets=1)
    more = {n: lines for n, lines in world.night(2).items() if n.startswith(("web", "leads", "ga"))}
    files = write(tmp_path / "2", more)
    before = state(tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    take_in(files, tmp_path / "new", max_parts=1)
    after = state(tmp_path / "new")
    assert before != after
    step, finished, seen = 0, False, []
    while not finished:
        target = tmp_path / f"d{step}"
        shutil.copytree(tmp_path / "old", target)
        finished = killed_at(step, lambda target=target: take_in(files, target, max_parts=1), target)  # type: ignore[misc]
        found = state(target)
        assert found in (before, after)
        seen.append(found == after)
        take_in(files, target, max_parts=1)
        assert state(target) == after
        shutil.rmtree(target)
        step += 1
    assert seen == sorted(seen)
    assert seen.count(False) > 20
