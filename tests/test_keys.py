"""Keys: shown once, kept as a hash, for their scopes alone, ended at once; a broken file opens nothing."""

from __future__ import annotations

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from serving import keys
from serving.access import Access, is_local
from serving.routes import ROUTES

WHEN = "2026-11-20T09:00:00+00:00"


def test_a_token_is_kept_nowhere_and_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    key, token = keys.create(tmp_path, "crm", ("score",), WHEN)
    secret = token.removeprefix(f"leadlift_{key.id}_")
    assert len(secret) >= 43
    for file in tmp_path.iterdir():
        assert secret not in file.read_text()
    assert stat.S_IMODE((tmp_path / keys.FILE).stat().st_mode) == 0o600
    assert keys.Keys(tmp_path).find(token) == key


def test_the_permissions_do_not_come_from_what_a_killed_process_left(tmp_path: Path) -> None:
    import os

    left = tmp_path / f".{keys.FILE}.{os.getpid()}"
    left.write_text("half")
    left.chmod(0o644)
    keys.create(tmp_path, "crm", ("score",), WHEN)
    assert stat.S_IMODE((tmp_path / keys.FILE).stat().st_mode) == 0o600
    assert not left.exists()


def test_the_same_secret_is_never_kept_as_the_same_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys.secrets, "token_urlsafe", lambda n: "same")
    (one, _), (two, _) = (keys.create(tmp_path, name, ("score",), WHEN) for name in "ab")
    assert one.hash != two.hash
    assert one.opened_by("same")
    assert not one.opened_by("other")


def test_only_the_whole_token_opens(tmp_path: Path) -> None:
    _, token = keys.create(tmp_path, "crm", ("score",), WHEN)
    found = keys.Keys(tmp_path)
    wrong = ["", "_", "leadlift__", token[:-1], token + "x", token.upper(), " " + token, token.replace("leadlift", "x"),
             token.rpartition("_")[0], "é" * 50, "x" * 100_000]  # fmt: skip
    assert [t for t in wrong if found.find(t)] == []
    assert found.find(token)
    assert [t for t in wrong if found.find(t)] == []


def test_a_worker_sees_new_and_revoked_keys_without_a_restart(tmp_path: Path) -> None:
    worker = keys.Keys(tmp_path)
    assert not worker.exist()
    _, first = keys.create(tmp_path, "crm", ("score",), WHEN)
    _, second = keys.create(tmp_path, "web", ("ingest",), WHEN)
    assert worker.find(first)
    assert worker.remembered(first)
    keys.revoke(tmp_path, "crm", WHEN)
    assert worker.remembered(first) is None
    assert worker.find(first) is None
    assert worker.find(second)
    (gone, _) = keys.read_keys(tmp_path)
    assert (gone.revoked_at, gone.salt, gone.hash) == (WHEN, "", "")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys": [{}]}', '{"keys": [{"id": 1, "scopes": []}]}', "\xff"])
def test_a_broken_file_opens_nothing_and_is_not_overwritten(tmp_path: Path, text: str, caplog: Any) -> None:
    _, token = keys.create(tmp_path, "crm", ("score",), WHEN)
    (tmp_path / keys.FILE).write_bytes(text.encode("latin-1"))
    worker = keys.Keys(tmp_path)
    assert worker.exist()
    assert worker.find(token) is None
    assert "keys.json" in caplog.text
    with pytest.raises(InputError):
        keys.create(tmp_path, "other", ("score",), WHEN)
    assert (tmp_path / keys.FILE).read_bytes() == text.encode("latin-1")
    assert status(Access(tmp_path, "127.0.0.1")) == 401


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda i: keys.create(tmp_path, f"k{i}", ("score",), WHEN)[1], range(8)))
    worker = keys.Keys(tmp_path)
    assert all(worker.find(t) for t in tokens)


# -- the door ----------------------------------------------------------------------------------------------------
def asked(
    access: Access, path: str = "/v1/score", token: str | None = None, server: str = "127.0.0.1", **more: str
) -> Any:
    """The refusal of one request, or None. more: further headers."""
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    request = {"type": "http", "path": path, "headers": headers, "server": (server, 3000)}
    return asyncio.run(access.refusal(request))


def status(access: Access, *what: Any, **more: Any) -> int:
    answer = asked(access, *what, **more)
    return 200 if answer is None else int(answer.status)


def test_every_route_of_the_service_has_a_declared_scope(client: Any) -> None:
    from serving.service import LOOKS, PAGES, POSTS, LeadliftService

    assert {*PAGES, *POSTS, *LOOKS} == set(ROUTES)
    assert {api.route for api in LeadliftService.apis.values()} == set(POSTS)
    assert {path for path, scope in ROUTES.items() if scope is None} == {"/livez", "/readyz", "/openapi.json"}
    assert {scope for scope in ROUTES.values() if scope} <= set(keys.SCOPES)


def test_a_key_opens_the_routes_of_its_scopes_and_no_other(tmp_path: Path) -> None:
    access = Access(tmp_path, "127.0.0.1")
    tokens = {scope: keys.create(tmp_path, scope, (scope,), WHEN)[1] for scope in keys.SCOPES}
    for path, wanted in ROUTES.items():
        assert status(access, path) == (200 if wanted is None else 401)
        assert status(access, path, "leadlift_nobody_x") == (200 if wanted is None else 401)
        for scope, token in tokens.items():
            assert status(access, path, token) == (200 if wanted in (None, scope) else 403), (path, scope)
    assert status(access, "/not/declared") == 401
    assert [status(access, "/not/declared", t) for t in tokens.values()] == [403] * len(tokens)
    _, both = keys.create(tmp_path, "both", ("score", "admin"), WHEN)
    assert [status(access, path, both) for path in ("/v1/score", "/metrics")] == [200, 200]


def test_refusals_are_problems_that_say_how_to_come_in(tmp_path: Path) -> None:
    access = Access(tmp_path, "0.0.0.0")
    _, token = keys.create(tmp_path, "web", ("ingest",), WHEN)
    for sent, code, challenge in (
        (None, 401, 'Bearer realm="leadlift"'),
        ("wrong", 401, 'Bearer realm="leadlift", error="invalid_token"'),
        (token, 403, 'Bearer realm="leadlift", error="insufficient_scope", scope="score"'),
    ):
        refused = asked(access, token=sent)
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (code, challenge)
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert json.loads(refused.body)["status"] == code


def test_without_any_key_this_machine_alone_is_answered(tmp_path: Path) -> None:
    local, remote = Access(tmp_path, "127.0.0.1"), Access(tmp_path, "0.0.0.0")
    assert [status(local, path) for path in ("/v1/score", "/metrics")] == [200, 200]
    assert status(local, server="192.0.2.7") == 401  # bound otherwise than the settings say
    assert status(remote) == 401
    keys.create(tmp_path, "crm", ("score",), WHEN)
    assert status(local) == 401
    keys.revoke(tmp_path, "crm", WHEN)
    assert status(local) == 401  # a key was made once
    (tmp_path / keys.FILE).unlink()
    assert status(local) == 401


def test_without_any_key_no_proxy_and_no_page_of_another_site_is_answered(tmp_path: Path) -> None:
    access = Access(tmp_path, "127.0.0.1")
    for host in ("127.0.0.1", "localhost:3000", "[::1]:3000", "LOCALHOST"):
        assert status(access, host=host, origin=f"http://{host}") == 200
    for other in (
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "",
        "[",
        "null",
    ):
        assert status(access, host=other) == status(access, host="localhost", origin=f"https://{other}") == 401
    assert status(access, host="localhost", origin="null") == 401
    for name in ("forwarded", "x_forwarded_for", "via"):
        assert status(access, host="localhost", **{name: "192.0.2.7"}) == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_local_addresses(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "", "localhost.example.com", "testserver", "None"])
def test_addresses_that_others_may_reach(host: str) -> None:
    assert not is_local(host)


def test_settings_that_cannot_be_read_let_nobody_in_without_a_key(
    client: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from serving.service import _settings

    (tmp_path / "wrong.toml").write_text("[nonsense]\nx = 1\n")
    monkeypatch.setenv("LEADLIFT_CONFIG", str(tmp_path / "wrong.toml"))
    monkeypatch.setenv("LEADLIFT_HOME", str(tmp_path))
    assert status(Access(_settings().home, _settings().serving.host)) == 401
    _, token = keys.create(tmp_path, "crm", ("score",), WHEN)
    assert status(Access(_settings().home, _settings().serving.host), token=token) == 200


# -- the commands ------------------------------------------------------------------------------------------------
def test_the_commands_make_list_and_revoke(leadlift_at: Any) -> None:
    run = leadlift_at()
    code, made, said = run("keys", "create", "--name", "crm", "--scope", "score", "--scope", "ingest")
    assert (code, made["name"], made["scopes"]) == (0, "crm", ["score", "ingest"])
    assert made["key"] not in said
    assert "hash" not in made
    worker = keys.Keys(run.home)
    assert worker.find(made["key"])
    code, found, said = run("keys", "list")
    assert (code, [k["id"] for k in found["keys"]]) == (0, [made["id"]])
    assert made["key"] not in json.dumps(found) + said
    code, ended, _ = run("keys", "revoke", made["id"])
    assert (code, ended["id"]) == (0, made["id"])
    assert ended["revoked_at"]
    assert worker.find(made["key"]) is None
    assert run("keys", "revoke", made["id"])[0] == 2


@pytest.mark.parametrize(
    "options", [("--name", "x", "--scope", "all"), ("--name", " ", "--scope", "score"), ("--name", "x")]
)
def test_what_is_no_key_is_a_wrong_option(leadlift_at: Any, options: tuple[str, ...]) -> None:
    run = leadlift_at()
    assert run("keys", "create", *options)[0] == 2
    assert not keys.ever_created(run.home)


def test_two_valid_keys_have_two_names(leadlift_at: Any) -> None:
    run, words = leadlift_at(), ("keys", "create", "--name", "crm", "--scope", "score")
    assert [run(*words)[0], run(*words)[0]] == [0, 2]
    run("keys", "revoke", "crm")
    assert run(*words)[0] == 0
