"""The control interface over HTTP, with a device of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.control.app import MAX_BODY_BYTES, control_app
from pipeline.control.device import Device, Property, Registry, Slot, State
from pipeline.control.server import ControlServer
from pipeline.daq.rates import Histogram
from pipeline.errors import AddressInUse, SettingRejected

TOKEN = "the-token-of-this-test"
COUNTERS = {"cups": 3, "of": {"tea": 2}, "7": {'a "name"\\\n': 1}}


class Kettle:
    def __init__(self) -> None:
        self.target, self.on = 80, False

    def set_target(self, value: int) -> None:
        if value > 100:
            raise SettingRejected("target", value, "at most 100")
        self.target = value

    def boil(self, minutes: float, note: str = "") -> dict[str, Any]:
        self.on = True
        return {"minutes": minutes, "note": note}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    kettle, took = Kettle(), Histogram()
    took.add(0.04)
    took.add(9)
    device = Device(
        "kettle",
        lambda: State.ACTIVE if kettle.on else State.PASSIVE,
        [
            Property("target", "°C", lambda: kettle.target, kettle.set_target, int),
            Property("counters", "by kind", lambda: COUNTERS),
            Property("took", "to boil, s", took.buckets, type=dict),
        ],
        [Slot("boil", "heat", kettle.boil, allowed=(State.PASSIVE,))],
    )
    server = ControlServer(control_app(Registry([device]), TOKEN))
    with httpx.Client(
        base_url=server.start(), headers={"Authorization": f"Bearer {TOKEN}"}, verify=False
    ) as http:
        yield http
    server.stop()
    server.stop()


def test_reading_needs_no_token(client: httpx.Client) -> None:
    del client.headers["Authorization"]
    described = {
        "state": "PASSIVE",
        "properties": {"target": 80, "counters": COUNTERS, "took": ANY},
        "slots": ["boil"],
    }
    assert client.get("/devices").json() == {"kettle": described}
    assert client.get("/devices/kettle").json() == described
    assert client.get("/status").json() == {"kettle": "PASSIVE"}


def test_metrics_are_read_by_prometheus_own_parser(client: httpx.Client) -> None:
    families = {f.name: f for f in text_string_to_metric_families(client.get("/metrics").text)}
    counters = families["stellwerk_kettle_counters"]
    assert (counters.type, counters.documentation) == ("counter", "by kind")
    assert [(s.name, s.labels, s.value) for s in counters.samples] == [
        ("stellwerk_kettle_counters_total", {"of": "cups"}, 3),
        ("stellwerk_kettle_counters_total", {"of": "of.tea"}, 2),
        ("stellwerk_kettle_counters_total", {"module": "7", "of": 'a "name"\\\n'}, 1),
    ]
    assert [s.value for s in families["stellwerk_kettle_target"].samples] == [80]
    (state,) = families["stellwerk_state"].samples
    assert state.labels == {"device": "kettle", "state": "PASSIVE"}
    took = families["stellwerk_kettle_took"]
    assert took.type == "histogram"
    assert [(s.labels.get("le"), s.value) for s in took.samples if s.name.endswith("_bucket")][-1] == (
        "+Inf",
        2,
    )
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6


def test_a_schema_says_what_may_be_written(client: httpx.Client) -> None:
    schema = client.get("/devices/kettle/schema").json()
    assert schema["properties"]["target"]["writable"]
    assert schema["slots"]["boil"]["arguments"] == ["minutes", "note"]


def test_a_change_and_a_call(client: httpx.Client) -> None:
    assert client.put("/devices/kettle", json={"target": 90}).json()["target"] == 90
    assert client.post("/devices/kettle/boil", json={"minutes": 3}).json() == {"minutes": 3, "note": ""}
    assert client.get("/status").json() == {"kettle": "ACTIVE"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/devices/teapot", None, 404, "no device is called 'teapot'; there are: kettle"),
        ("PUT", "/devices/kettle", {"target": 101}, 422, "must be at most 100"),
        ("PUT", "/devices/kettle", {"target": "hot"}, 422, "must be a whole number"),
        ("PUT", "/devices/kettle", {"target": True}, 422, "must be a whole number"),
        ("PUT", "/devices/kettle", {"counters": {}}, 422, "it can only be read"),
        ("PUT", "/devices/kettle", {"colour": 1}, 422, "no property of kettle is called 'colour'"),
        ("PUT", "/devices/kettle", [1], 422, "must be a JSON object"),
        ("POST", "/devices/kettle/sing", {}, 404, "there are: boil"),
        ("POST", "/devices/kettle/boil", {}, 422, "boil(minutes)"),
        ("POST", "/devices/kettle/boil", {"minutes": 1, "hours": 2}, 422, "no argument of kettle.boil"),
        ("POST", "/devices/kettle/boil", {"minutes": "long"}, 422, "must be a number"),
    ],
)
def test_refusals_are_one_sentence(
    client: httpx.Client, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_several_changes_are_all_made_or_none() -> None:
    kettle = Kettle()
    lid = {"open": False}

    def set_lid(value: bool) -> None:
        lid["open"] = value

    device = Device(
        "kettle",
        lambda: State.PASSIVE,
        [
            Property("lid", "open", lambda: lid["open"], set_lid, bool),
            Property("target", "°C", lambda: kettle.target, kettle.set_target, int),
        ],
    )
    with pytest.raises(SettingRejected, match="at most 100"):
        device.change({"lid": True, "target": 101})
    assert lid == {"open": False}
    assert device.change({"lid": True, "target": 99}) == {"lid": True, "target": 99}


def test_the_wrong_state(client: httpx.Client) -> None:
    client.post("/devices/kettle/boil", json={"minutes": 3})
    answer = client.post("/devices/kettle/boil", json={"minutes": 3})
    assert (answer.status_code, answer.json()["error"]) == (
        409,
        "kettle is ACTIVE; boil needs it to be PASSIVE",
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, 403),
    ],
)
def test_changes_need_the_token_and_our_own_origin(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    answer = client.put("/devices/kettle", json={"target": 90}, headers=headers)
    assert answer.status_code == status
    assert client.get("/devices/kettle").json()["properties"]["target"] == 80


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[" * 60_000, 400), (b" " * (MAX_BODY_BYTES + 1), 413), (b"\xff", 400)],
)
def test_bad_bodies(client: httpx.Client, content: bytes, status: int) -> None:
    assert client.put("/devices/kettle", content=content).status_code == status


def test_an_address_in_use() -> None:
    first = ControlServer(control_app(Registry([]), TOKEN))
    port = int(first.start().rsplit(":", 1)[1])
    with pytest.raises(AddressInUse, match="choose another port, or 0"):
        ControlServer(control_app(Registry([]), TOKEN), port=port)
    first.stop()
