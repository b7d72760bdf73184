"""Who may ask the catalogue: registered clients, tokens, and nothing else; no secret is left lying about."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sim.caldb.clients import CLIENTS_FILE, ClientsUnreadable, SecretHash, read_clients, write_clients
from sim.caldb.kind import KIND
from sim.caldb.operations import OPERATIONS
from sim.kernel import FaultBoard, Surroundings, Transcript
from sim.kernel.clock import manual_clock
from sim.kernel.redaction import Redactor, redacted

FORM = {"grant_type": "client_credentials"}
SECRET = "correct horse battery staple"


@dataclass
class Served:
    http: httpx.AsyncClient
    transcript: Path

    async def token(self, *auth: str, **form: str) -> httpx.Response:
        credentials = (auth[0], auth[1]) if auth else None
        return await self.http.post("oauth/token", data={**FORM, **form}, auth=credentials)


Opener = Callable[..., Any]


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    @asynccontextmanager
    async def opened(**table: Any) -> AsyncIterator[Served]:
        path = tmp_path / "caldb.txt"
        around = Surroundings(
            "caldb",
            1,
            tmp_path,
            manual_clock(),
            {},
            FaultBoard("caldb", KIND.faults),
            Transcript(path, lambda: 0),
        )
        servers = KIND.build(around, KIND.config.model_validate(table))
        addresses = {name: await server.start() for name, server in servers.items()}
        try:
            async with httpx.AsyncClient(base_url=addresses["rest"], trust_env=False, verify=False) as http:
                yield Served(http, path)
        finally:
            for server in servers.values():
                await server.stop()
            around.transcript.close()

    return opened


def clients(*ids: str) -> list[dict[str, str]]:
    return [{"id": name, "secret_hash": str(SecretHash.of(SECRET))} for name in ids]


async def test_registered_clients_get_tokens_and_others_do_not(opener: Opener) -> None:
    async with opener(require_token=True, clients=clients("beamline")) as served:
        answer = await served.token("beamline", SECRET)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert set(answer.json()) == {"access_token", "token_type", "expires_in", "created_at"}
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await served.http.get("api/me", headers=bearer)).status_code == 200
        in_form = await served.token(client_id="beamline", client_secret=SECRET)
        assert in_form.status_code == 200
        for auth in (
            ("beamline", "wrong"),
            ("nobody", SECRET),
            ("beamline", SECRET + " "),
            ("x", "y" * 2000),
        ):
            refused = await served.token(*auth)
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
            assert refused.headers["www-authenticate"].startswith("Basic")
        assert (await served.token()).json()["error"] == "invalid_client"
        other = await served.token("beamline", SECRET, grant_type="password")
        assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")


async def test_with_tokens_required_no_route_answers_without(opener: Opener) -> None:
    async with opener(require_token=True) as served:
        paths = [
            (operation.method, "/api" + operation.path.replace("{id:row_id}", "1"))
            for operation in OPERATIONS
        ]
        paths += [("GET", "/"), ("GET", "/api"), ("GET", "/api/openapi.json"), ("GET", "/api/nothing")]
        paths += [("PATCH", "/api/me"), ("HEAD", "/api/me"), ("OPTIONS", "/api/me"), ("GET", "//api//me/")]
        paths += [("GET", "/oauth/token/../../api/me"), ("GET", "/oauth"), ("POST", "/OAUTH/TOKEN")]
        for method, path in paths:
            for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic YTpi"}):
                answer = await served.http.request(method, path, headers=headers)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await served.http.get("oauth/token")).status_code == 405


async def test_a_token_runs_out(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("sim.caldb.build.time.time", lambda: now[0])
    async with opener(require_token=True, token_lifetime_s=60) as served:
        issued = (await served.token("any", "thing")).json()
        bearer = {"Authorization": f"Bearer {issued['access_token']}"}
        assert issued["expires_in"] == 60
        now[0] += 59
        assert (await served.http.get("api/me", headers=bearer)).status_code == 200
        now[0] += 1
        assert (await served.http.get("api/me", headers=bearer)).status_code == 401


async def test_secrets_and_tokens_are_in_no_transcript_and_no_file(opener: Opener, tmp_path: Path) -> None:
    async with opener(require_token=True, clients=clients("beamline")) as served:
        token = (await served.token("beamline", SECRET)).json()["access_token"]
        await served.token(client_id="beamline", client_secret=SECRET)
        await served.http.get("api/me", headers={"Authorization": f"Bearer {token}"})
    shown = served.transcript.read_text()
    assert "authorization: Bearer ***" in shown.replace("Authorization", "authorization")
    basic = base64.b64encode(f"beamline:{SECRET}".encode()).decode()
    secrets = (SECRET, SECRET.replace(" ", "+"), basic, token)
    assert found_in_files(tmp_path, secrets) == []


def found_in_files(folder: Path, secrets: Sequence[str]) -> list[Path]:
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert contents
    return [
        path for path, content in contents.items() if any(secret.encode() in content for secret in secrets)
    ]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_secret_that_comes_in_pieces_is_not_shown(size: int) -> None:
    request = b"POST /oauth/token HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\nHost: a\r\n\r\n"
    request += b"client_secret=c2VjcmV0&a=1"
    redactor, shown = Redactor(), b""
    for start in range(0, len(request), size):
        shown += redactor.feed(request[start : start + size])
    shown += redactor.flush()
    assert shown == request.replace(b"c2VjcmV0", b"***")
    assert redacted(b'{"access_token":"abc","x":1}') == b'{"access_token":"***","x":1}'


def client(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fat", "caldb", "client", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True)


async def test_clients_are_registered_on_a_store(opener: Opener, tmp_path: Path) -> None:
    store = tmp_path / "caldb"
    added = json.loads(client("add", "beamline", "--store", str(store), "--json").stdout)
    assert (store / CLIENTS_FILE).stat().st_mode & 0o777 == 0o600
    assert added["secret"] not in (store / CLIENTS_FILE).read_text()
    given = client("add", "other", "--store", str(store), "--secret-stdin", stdin=f"{SECRET}\n")
    assert SECRET not in given.stdout + given.stderr
    assert json.loads(client("list", "--store", str(store), "--json").stdout) == ["beamline", "other"]
    async with opener(require_token=True) as served:
        assert (await served.token("beamline", added["secret"])).status_code == 200
        assert (await served.token("other", SECRET)).status_code == 200
        assert (await served.token("bench", "secret")).status_code == 401
    for name in ("beamline", "other"):
        assert client("remove", name, "--store", str(store)).returncode == 0
    assert client("remove", "other", "--store", str(store)).returncode == 2
    async with opener(require_token=True) as served:
        assert (await served.token("bench", "secret")).status_code == 401, "an emptied list lets nobody in"


def test_a_list_of_clients_that_cannot_be_read_stops_the_catalogue(tmp_path: Path) -> None:
    write_clients(tmp_path, {"a": SecretHash.of(SECRET)})
    known = read_clients(tmp_path)
    assert known is not None
    assert known["a"].fits(SECRET)
    assert not known["a"].fits(SECRET.upper())
    for content in ("{", "[]", '{"a": "plain"}', '{"a": "scrypt$3$8$1$YQ==$YQ=="}', '{"a": 1}'):
        (tmp_path / CLIENTS_FILE).write_text(content)
        with pytest.raises(ClientsUnreadable, match="mend it or move it away"):
            read_clients(tmp_path)


def test_the_bench_file_takes_hashes_only() -> None:
    with pytest.raises(ValueError, match="caldb client add"):
        KIND.config.model_validate({"clients": [{"id": "a", "secret_hash": "secret"}]})
