"""What hostile or broken clients do to the catalogue: nothing but an answer, over real sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sim.caldb.fields import Invalid
from sim.caldb.paths import check_paths

HOSTILE = (
    "'; DROP TABLE parameters; --",
    '" OR ""="',
    "x') UNION SELECT name, sql FROM sqlite_master --",
    "%' OR '1'='1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}} ${7*7} %s %n",
    "../../../../etc/passwd",
    "\u202etxt.exe",
    "\ufeff\u2028\u0301",
    "NULL",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked") / "caldb"


@pytest.fixture(scope="module")
def api(store: Path) -> Iterator[httpx.Client]:
    """A catalogue in a process of its own."""
    command = [sys.executable, "-m", "fat", "caldb", "serve", "--store", store, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            address = json.loads(serving.stdout.readline())["rest"]
            with httpx.Client(base_url=f"{address}/api/", trust_env=False, verify=False) as http:
                yield http
        finally:
            serving.terminate()


@pytest.fixture
def alive(api: httpx.Client) -> Iterator[None]:
    """The catalogue answers as before, after whatever the test did."""
    before = api.get("parameters").json()
    yield
    assert api.get("parameters").json()[: len(before)] == before


def version(api: httpx.Client, **fields: str) -> httpx.Response:
    body = {
        "file_name": "cal.1.0.h5",
        "path_to_file": "xfel/cal/agipd-type/agipd_sim_m100/",
        "data_set_name": "/AGIPD_SIM_M100/Offset/0",
        "calibration_constant_id": constant(api),
        "physical_detector_unit_id": 1,
        "begin_at": "2026-01-01T00:00:00Z",
        **fields,
    }
    return api.post("calibration_constant_versions", json={"calibration_constant_version": body})


def constant(api: httpx.Client) -> int:
    attributes = [{"parameter_name": "Memory cells", "value": 4}]
    condition = {"name": "c", "parameters_conditions_attributes": attributes}
    stored = api.post("conditions/set_expected_condition", json={"condition": condition}).json()
    ids = {"detector_type_id": 2, "calibration_id": 1, "condition_id": stored["id"]}
    api.post("calibration_constants", json={"calibration_constant": {"name": "cc", **ids}})
    (found,) = api.get("calibration_constants", params={"name": "cc"}).json()
    return int(found["id"])


OUTSIDE = (
    "../x/",
    "xfel/../../x/",
    "/etc/",
    "..",
    "xfel/..",
    "a\\..\\b/",
    "C:\\x",
    "xfel/\x1b[31m/",
    "xfel/\x00/",
    " ../x",
    "./x",
)


@pytest.mark.parametrize("field", ["path_to_file", "file_name"])
@pytest.mark.parametrize("value", OUTSIDE)
def test_no_path_leads_out_of_the_store(api: httpx.Client, alive: None, field: str, value: str) -> None:
    made = version(api, begin_at="2026-01-02T00:00:00Z")
    assert made.status_code in (201, 422), "made by the first of these tests"
    (kept,) = api.get("calibration_constant_versions").json()
    path = f"calibration_constant_versions/{kept['id']}"
    for answer in (
        version(api, **{field: value}),
        api.put(path, json={"calibration_constant_version": {field: value}}),
    ):
        assert answer.status_code == 422
        assert set(answer.json()["info"]) == {field}


@pytest.mark.parametrize(
    "path", ["xfel/cal/agipd-type/agipd_sim_m100/", "xfel/cal/x", "", "xfel//cal/", "a..b/"]
)
def test_paths_inside_the_store_are_taken(path: str) -> None:
    check_paths({"path_to_file": path, "file_name": "cal.1..h5"})
    with pytest.raises(Invalid):
        check_paths({"path_to_file": path, "file_name": "x/y"})


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_data(api: httpx.Client, alive: None, text: str) -> None:
    body = {"name": text, "description": text}
    created = api.post("parameters", json={"parameter": body})
    assert created.status_code == 201, created.text
    assert created.headers["content-type"] == "application/json"
    assert {**created.json(), **body} == created.json()
    found = api.get("parameters", params={"name": text}).json()
    assert found == [created.json()]
    assert api.delete(f"parameters/{found[0]['id']}").status_code == 204
    assert api.get("detectors", params={"identifier": text}).json() == []
    assert api.get("me", headers={"X-User-Email": text.encode()}).status_code == 200


def bytes_of(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([*lines, b"Host: a", b"Content-Length: %d" % len(body), b"", b""]) + body


def exchange(api: httpx.Client, data: bytes, timeout_s: float = 20.0) -> bytes:
    """What a raw connection is answered until it is closed, or nothing more comes."""
    place = urlsplit(str(api.base_url))
    with socket.create_connection((place.hostname, place.port), timeout=timeout_s) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(65536):
                answer += piece
                if b"\r\n\r\n" in answer:
                    break
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


POST = b"POST /api/reports/set HTTP/1.1"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (bytes_of(b"GET /api/\xff\xfe HTTP/1.1"), 400),
        (bytes_of(b"GET /api/parameters?name=%ff%fe HTTP/1.1"), 200),
        (bytes_of(b"GET /api/parameters?name=%00 HTTP/1.1"), 422),
        (bytes_of(b"GET /api/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), 404),
        (bytes_of(b"GET /api/me HTTP/1.1", b"X-User-Email: \xff\xfe@x"), 200),
        (bytes_of(b"GET /api/me HTTP/1.1", b"Authorization: Bearer \xff\xfe"), 401),
        (bytes_of(b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1"), 400),
        (bytes_of(b"GET /api/me HTTP/1.1", b"X: " + b"a" * 2_000_000), 400),
        (bytes_of(POST, body=b'{"report": {"name": "\xff", "file_path": "x"}}'), 400),
        (bytes_of(POST, body=b'{"report": {"name": "\\ud800", "file_path": "x"}}'), 422),
        (bytes_of(POST, body=b'{"report": {"name": "\\u0000", "file_path": "x"}}'), 422),
        (bytes_of(POST, body=b'{"report": ' + b"[" * 500_000), 400),
        (bytes_of(POST, body=b'{"a":' * 150_000 + b"1" + b"}" * 150_000), 400),
        (bytes_of(POST, body=b'{"report": {"name": 1' + b"0" * 5000 + b"}}"), 400),
        (bytes_of(POST, body=b'{"report": {"name": NaN}}'), 400),
        (bytes_of(POST, body=b" " * ((1 << 20) + 1)), 413),
        (POST + b"\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n" + b" " * ((1 << 20) + 1), 413),
        (POST + b"\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (bytes_of(b"GET http://other/api/me HTTP/1.1"), 404),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
    ],
)
def test_broken_requests_are_answered(api: httpx.Client, alive: None, data: bytes, status: int) -> None:
    answer = exchange(api, data)
    if not answer and b"a" * 2_000_000 in data:
        return  # closed while we still sent: the answer can get lost on the way, as TCP has it
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:500]
    assert b"Traceback" not in answer


@pytest.mark.timeout(300)
def test_slow_clients_hold_nobody_and_are_let_go(api: httpx.Client) -> None:
    place = urlsplit(str(api.base_url))
    beginnings = (
        b"",
        b"GET /api/me HT",
        b"GET /api/me HTTP/1.1\r\nX: ",
        POST + b"\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
    )
    slow = [socket.create_connection((place.hostname, place.port)) for _ in range(40)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(beginnings[number % len(beginnings)])
        assert api.get("me", timeout=5.0).status_code == 200
        assert [_end_of(connection) for connection in slow] == [b"", b"", b"", b"HTTP/1.1 408"] * 10
    finally:
        for connection in slow:
            connection.close()
    assert api.get("me").status_code == 200


def _end_of(connection: socket.socket) -> bytes:
    connection.settimeout(30.0)
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer[:12]


def test_a_client_that_leaves_in_the_middle_harms_nobody(api: httpx.Client, alive: None) -> None:
    place = urlsplit(str(api.base_url))
    for data in (
        POST + b"\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
        b"GET /api/parameters HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        for _ in range(20):
            with socket.create_connection((place.hostname, place.port)) as connection:
                connection.sendall(data)


def test_nothing_of_this_is_in_the_store(api: httpx.Client, store: Path) -> None:
    assert {path.name.split("-")[0] for path in store.iterdir()} <= {"catalogue.sqlite", "remotes.log"}
