from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from sim.dectris.configuration.changed import CHANGED
from sim.dectris.models import MODELS, Modules
from sim.kernel.http import HttpServer
from sim.kernel.transcript import Transcript

D = "/detector/api/1.8.0"


async def value(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["value"]


async def put(client: httpx.AsyncClient, path: str, written: object) -> Any:
    answer = await client.put(path, json={"value": written})
    assert answer.status_code == 200, answer.text
    return answer.json()


def logged(unit: Any, tmp_path: Path) -> list[dict[str, Any]]:
    unit.log.close()
    return [json.loads(line) for line in (tmp_path / "conformance.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("module", ["detector", "stream", "filewriter", "monitor", "system"])
async def test_every_module_tells_its_version_and_its_keys(client: httpx.AsyncClient, module: str) -> None:
    for path in (f"/{module}/api/version", f"/{module}/api/version/"):
        assert await value(client, path) == "1.8.0"
    for version in ("1.6.0", "1.8.0"):
        base = f"/{module}/api/{version}"
        assert (await client.get(f"{base}/keys")).json() == ["command", "config", "status"]
        assert (await client.get(f"{base}/command/keys")).json()
        for task in ("config", "status"):
            names = (await client.get(f"{base}/{task}/keys")).json()
            assert set((await client.get(f"{base}/{task}/")).json()) == set(names)
            for name in names:
                answer = (await client.get(f"{base}/{task}/{name}")).json()
                assert {"value", "value_type", "access_mode"} <= set(answer)
    assert (await client.get(f"/{module}/api/1.7.0/config/keys")).status_code == 404


async def test_an_eiger1_tells_1_6_0(make_unit: Any) -> None:
    unit = make_unit(MODELS["EIGER X 500K"])
    transport = httpx.ASGITransport(app=unit.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dcu") as client:
        assert await value(client, "/detector/api/version") == "1.6.0"
        error = (await client.get("/detector/api/1.6.0/status/error")).json()
        assert (error["value"], error["value_type"]) == ([], "string[]")
        free = "builder/dcu_buffer_free"
        assert await value(client, f"/detector/api/1.6.0/status/{free}") == 100.0
        assert (await client.get(f"{D}/status/{free}")).status_code == 404
        assert "status_update" in (await client.get("/detector/api/1.6.0/command/keys")).json()
        changed = await put(client, "/detector/api/1.6.0/config/count_time", 0.1)
        assert "frame_period" in changed


async def test_answers_list_the_changed_keys(client: httpx.AsyncClient) -> None:
    assert await put(client, f"{D}/config/count_time", 0.25) == list(CHANGED["count_time"])
    assert await put(client, f"{D}/config/nimages", 3) == ["nimages"]
    assert await put(client, "/stream/api/1.8.0/config/header_detail", "all") == ["header_detail"]
    assert await put(client, "/monitor/api/1.8.0/config/buffer_size", 1) == ["buffer_size"]


async def test_several_keys_of_a_module_are_written_together_or_not_at_all(
    unit: Any, client: httpx.AsyncClient
) -> None:
    both = {"mode": {"value": "disabled"}, "format": {"value": "cbor"}}
    assert (await client.put("/stream/api/1.8.0/config", json=both)).json() == ["mode", "format"]
    assert unit.stream.told == ["configured"]
    wrong = {"mode": {"value": "enabled"}, "format": {"value": "xml"}}
    assert (await client.put("/stream/api/1.8.0/config/", json=wrong)).status_code == 400
    assert unit.settings.mode == "disabled"
    assert (await client.put(f"{D}/config", json=both)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "said"),
    [
        ("GET", f"{D}/config/no_such_key", b"", 404, "Parameter no_such_key does not exist"),
        ("GET", "/camera/api/1.8.0/config/keys", b"", 404, "does not exist"),
        ("GET", "/", b"", 404, "does not exist"),
        ("PUT", f"{D}/config/nimages", b"{", 400, "not JSON"),
        ("PUT", f"{D}/config/nimages", b"[" * 100_000, 400, "not JSON"),
        ("PUT", f"{D}/config/nimages", b"[1]", 400, "JSON object"),
        ("PUT", f"{D}/config/nimages", b"{}", 400, 'no "value"'),
        ("PUT", f"{D}/config/nimages", b'{"value": "3"}', 400, "type uint"),
        ("PUT", f"{D}/config/nimages", b'{"value": 0}', 400, "must lie in 1"),
        ("PUT", f"{D}/config/description", b'{"value": "x"}', 403, "read-only"),
        ("PUT", f"{D}/status/state", b'{"value": "idle"}', 403, "read-only"),
        ("PUT", f"{D}/command/fire", b"", 404, "does not exist"),
        ("PUT", f"{D}/command/arm", b'{"value": 1}', 400, "takes no value"),
        ("PUT", f"{D}/command/status_update", b"", 404, "does not exist"),
        ("PUT", f"{D}/config/pixel_mask", b'{"value": 1}', 400, "__darray__"),
        ("POST", f"{D}/config/nimages", b"{}", 405, "POST"),
        ("PUT", f"{D}/config/nimages", b" " * (1 << 21), 413, "longer"),
        ("GET", "/data/series_1_master.h5", b"", 404, "no finished file"),
        ("GET", "/data/..%2f..%2fetc%2fpasswd", b"", 404, "no finished file"),
        ("GET", "/monitor/api/1.8.0/images/1/0", b"", 404, "no image"),
        ("GET", "/monitor/api/1.8.0/images/next?timeout=1", b"", 408, "within 1 ms"),
        ("GET", "/monitor/api/1.8.0/images/next?timeout=soon", b"", 400, "milliseconds"),
        ("PUT", "/system/api/1.8.0/command/shutdown", b"", 403, "with its bench"),
    ],
)
async def test_errors_have_a_code_and_a_reason(
    client: httpx.AsyncClient, method: str, path: str, content: bytes, status: int, said: str
) -> None:
    answer = await client.request(method, path, content=content)
    assert answer.status_code == status
    assert said in answer.text


async def test_commands_take_an_empty_body_and_an_empty_object(unit: Any, client: httpx.AsyncClient) -> None:
    for body in (b"", b"{}"):
        answer = await client.put(f"{D}/command/arm", content=body, headers={"content-type": "text/html"})
        assert set(answer.json()) == {"sequence id"}
    assert (await client.put(f"{D}/command/initialize")).json() == {}
    assert [name for name, _ in unit.detector.commands] == ["arm", "arm", "initialize"]


async def test_a_trigger_blocks_while_everything_else_answers(unit: Any, client: httpx.AsyncClient) -> None:
    trigger = asyncio.create_task(client.put(f"{D}/command/trigger"))
    resolve = await unit.detector.triggered.get()
    assert await value(client, f"{D}/status/state") == "idle"
    assert (await client.put(f"{D}/command/abort")).json() == {"sequence id": 0}
    assert not trigger.done()
    resolve({})
    assert (await trigger).json() == {}


async def test_a_trigger_takes_an_exposure_in_inte_only(unit: Any, client: httpx.AsyncClient) -> None:
    body = {"value": 1}
    assert (await client.put(f"{D}/command/trigger", json=body)).status_code == 400
    await put(client, f"{D}/config/trigger_mode", "inte")
    trigger = asyncio.create_task(client.put(f"{D}/command/trigger", json=body))
    (await unit.detector.triggered.get())({})
    await trigger
    assert unit.detector.commands == [("trigger", 1.0)]


async def test_before_initialize_there_is_no_configuration(unit: Any, client: httpx.AsyncClient) -> None:
    unit.detector.state = "na"
    assert await value(client, f"{D}/status/state") == "na"
    for path in ("config/keys", "config/nimages", "config/pixel_mask", "config/wavelength"):
        assert (await client.get(f"{D}/{path}")).status_code == 404
    assert (await client.put(f"{D}/config/nimages", json={"value": 1})).status_code == 404


async def test_during_a_series_streams_can_be_configured_and_little_else(
    unit: Any, client: httpx.AsyncClient
) -> None:
    unit.detector.state = "ready"
    assert (await client.put(f"{D}/config/nimages", json={"value": 1})).status_code == 409
    assert await put(client, "/stream/api/1.8.0/config/mode", "enabled") == ["mode"]
    for module in ("filewriter", "monitor"):
        path = f"/{module}/api/1.8.0/config/mode"
        assert (await client.put(path, json={"value": "enabled"})).status_code == 409


def darray(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    data = base64.b64encode(array.tobytes()).decode()
    shape = list(array.shape[::-1])
    return {
        "__darray__": [1, 0, 0],
        "type": array.dtype.str,
        "shape": shape,
        "filters": ["base64"],
        "data": data,
    }


async def test_masks_and_flat_fields_are_read_put_and_restored(unit: Any, client: httpx.AsyncClient) -> None:
    factory = await value(client, f"{D}/config/pixel_mask")
    assert (factory["shape"], factory["type"]) == ([64, 32], "<u4")
    old = (await client.get("/detector/api/1.6.0/config/pixel_mask")).json()["value"]
    assert old["shape"] == [32, 64]
    mask = np.zeros((32, 64), np.uint32)
    mask[5, 7] = 16
    changed = await put(client, f"{D}/config/threshold/1/pixel_mask", darray(mask))
    assert changed == ["pixel_mask", "threshold/1/pixel_mask"]
    assert await value(client, f"{D}/config/pixel_mask") == darray(mask)
    tiff = await client.get(f"{D}/config/pixel_mask", headers={"accept": "image/tiff"})
    assert tiff.headers["content-type"] == "image/tiff"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(tiff.content))), mask)
    flat = await client.get(f"{D}/config/flatfield", headers={"accept": "application/tiff"})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(flat.content))), np.ones((32, 64), np.float32))
    assert (await client.delete(f"{D}/config/pixel_mask")).status_code == 204
    assert await value(client, f"{D}/config/pixel_mask") == factory
    assert (await client.delete(f"{D}/config/nimages")).status_code == 405
    table = (await client.get(f"{D}/config/countrate_correction_table")).json()
    assert (table["access_mode"], table["value"]["shape"]) == ("r", [1000, 2])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"type": "<f8"}, "type must be <u4"),
        ({"shape": [64, 33]}, "bytes"),
        ({"shape": [-64, -32]}, "two numbers"),
        ({"shape": [1 << 40, 1]}, "two numbers"),
        ({"shape": [32, 64]}, "64 x 32 pixels"),
        ({"data": "%%%"}, "no base64"),
        ({"data": 12}, "bytes"),
        ({"filters": ["zip"]}, "filters"),
    ],
)
async def test_a_malformed_array_is_refused(
    client: httpx.AsyncClient, changed: dict[str, Any], said: str
) -> None:
    sent = darray(np.zeros((32, 64), np.uint32)) | changed
    answer = await client.put(f"{D}/config/pixel_mask", json={"value": sent})
    assert answer.status_code == 400
    assert said in answer.text


async def test_files_are_listed_fetched_in_part_and_deleted(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "series_1_master.h5").write_bytes(bytes(range(100)))
    name = "series_1_master.h5"
    assert (await client.get("/filewriter/api/1.8.0/files/")).json() == [name]
    assert await value(client, "/filewriter/api/1.8.0/status/files") == [name]
    head = await client.head(f"/data/{name}")
    assert (head.status_code, head.headers["content-length"]) == (200, "100")
    whole = await client.get(f"/data/{name}", headers={"accept": "application/hdf5"})
    assert (len(whole.content), whole.headers["content-type"]) == (100, "application/hdf5")
    part = await client.get(f"/data/{name}", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert (await client.delete(f"/data/{name}")).status_code == 204
    assert (await client.head(f"/data/{name}")).status_code == 404
    assert (await client.delete(f"/data/{name}")).status_code == 404


async def test_the_monitor_gives_images_now_or_as_soon_as_they_come(
    unit: Any, client: httpx.AsyncClient
) -> None:
    images = "/monitor/api/1.8.0/images"
    waiting = asyncio.create_task(client.get(f"{images}/next?timeout=20000"))
    assert (await client.get(f"{images}/")).json() == []
    unit.monitor.add(3, 0, b"II*\0first")
    answer = await waiting
    assert (answer.content, answer.headers["content-type"]) == (b"II*\0first", "image/tiff")
    unit.monitor.add(3, 1, b"II*\0second")
    assert (await client.get(f"{images}/")).json() == [[3, [1]]]
    assert (await client.get(f"{images}/monitor")).content == b"II*\0second"
    assert (await client.get(f"{images}/3/1/1")).content == b"II*\0second"
    assert (await client.get(f"{images}/3/1/2")).status_code == 404
    assert (await client.get(f"{images}/3/x")).status_code == 404
    assert (await client.put("/monitor/api/1.8.0/command/clear")).json() == {}
    assert (await client.get(f"{images}/")).json() == []
    # An image that came and went must not be taken for one that comes.
    assert unit.monitor.arrived.is_set()
    assert (await client.get(f"{images}/next?timeout=5")).status_code == 408


async def test_initialize_of_a_module_brings_the_vendors_defaults_and_a_restart_forgets_files(
    unit: Any, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "series_1_master.h5").write_bytes(b"images")
    assert (await client.put("/stream/api/1.8.0/command/initialize")).json() == {}
    assert await value(client, "/stream/api/1.8.0/config/mode") == "disabled"
    assert unit.files.names() == ["series_1_master.h5"]
    assert (await client.put("/system/api/1.8.0/command/restart")).json() == {}
    unit.app.forget()
    assert unit.files.names() == []
    assert unit.detector.state == "na"
    assert await value(client, "/stream/api/1.8.0/config/mode") == "enabled"


async def test_the_log_says_what_each_client_did_and_what_a_real_unit_would_mind(
    unit: Any, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    for _ in range(25):
        await client.get(f"{D}/status/state/", headers={"user-agent": "poller"})
    await client.put(f"{D}/config/nimages", content=b'{"value": 2, "unit": "x"}')
    await client.put(f"{D}/config/nimages", json={"value": "2"})
    await client.get(f"{D}/config/wavelength")
    unit.log.note("127.0.0.1:5000", "a receiver connected to the stream")
    lines = logged(unit, tmp_path)
    polled = [line for line in lines if line.get("agent") == "poller"]
    assert [line.get("times", 1) for line in polled] == [1, 2, 3, 10]
    assert polled[0]["remarks"] == ["a slash behind the key is undocumented"]
    loose, wrong, unlisted, event = lines[len(polled) :]
    assert loose["remarks"] == ["JSON sent as Content-Type (none)", "the body has more than a value"]
    assert loose["body"] == "{value: int, unit: string}"
    assert (wrong["status"], wrong["remarks"]) == (400, ["nimages must be of type uint, not '2'"])
    assert unlisted["remarks"] == ["config key wavelength is not named by keys"]
    assert event["event"] == "a receiver connected to the stream"


async def test_the_log_archive_and_the_docs_are_there(unit: Any, client: httpx.AsyncClient) -> None:
    where = (await client.put("/system/api/1.8.0/command/create_log_tarball")).json()["value"]
    assert (await client.get(where)).content[:2] == b"\x1f\x8b"
    assert "/detector/api/1.8.0/config/nimages" in (await client.get("/docs/")).text


async def test_faults_of_answers(unit: Any, client: httpx.AsyncClient) -> None:
    state, nimages = f"{D}/status/state", f"{D}/config/nimages"
    unit.faults.switch_on("http_error", times=1, path="nimages", status=500)
    unit.faults.switch_on("garbage_http", times=1, path="nimages")
    unit.faults.switch_on("wrong_type_http", times=1, path="nimages")
    assert await value(client, state) == "idle"
    assert (await client.get(nimages)).status_code == 500
    garbage = await client.get(nimages)
    assert garbage.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match=r"."):
        garbage.json()
    assert await value(client, nimages) == [[]]
    assert await value(client, nimages) == 1


async def test_a_hanging_and_a_cut_off_request(unit: Any, address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=0.3) as client:
        unit.faults.switch_on("hang_http", times=1)
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{D}/status/state")
        unit.faults.switch_on("close_http", times=1)
        with pytest.raises(httpx.TransportError):
            await client.get(f"{D}/status/state")
        assert await value(client, f"{D}/status/state") == "idle"
    assert unit.faults.struck() == {"hang_http": 1, "close_http": 1}


def _strict(host: str, port: int, request: bytes) -> bytes:
    """As ADEiger reads: one recv of 512 bytes."""
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(512)


async def test_a_client_that_reads_once_gets_head_and_body(address: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    for path in ("config/count_time", "config/element", "config/trigger_mode", "status/state"):
        request = f"GET {D}/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()
        answer = await asyncio.to_thread(_strict, host, int(port), request)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        assert int(lengths[0].split(b":")[1]) == len(body)
        assert "value" in json.loads(body)
        assert b"chunked" not in head


async def test_each_model_has_the_high_voltage_command_of_its_sensor(make_unit: Any) -> None:
    model = replace(MODELS["EIGER2 X CdTe 4M"], modules=Modules(1, 1, 64, 32))
    unit = make_unit(model)
    transport = httpx.ASGITransport(app=unit.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dcu") as client:
        assert "hv_reset" in (await client.get(f"{D}/command/keys")).json()
        for wrong in (0, 601, True, "30"):
            assert (await client.put(f"{D}/command/hv_reset", json={"value": wrong})).status_code == 400
        assert (await client.put(f"{D}/command/hv_reset", json={"value": 5})).status_code == 200
        assert (await client.put(f"{D}/command/hv_enabled", json={"value": True})).status_code == 404
    assert unit.detector.commands == [("hv_reset", 5.0)]


async def test_a_request_that_hangs_holds_nobody_up_when_the_unit_is_switched_off(unit: Any) -> None:
    server = HttpServer("dcu", unit.app, transcript=Transcript(None, lambda: 0))
    address = await server.start()
    unit.faults.switch_on("hang_http", times=1)
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        hanging = asyncio.create_task(client.get(f"{D}/status/state"))
        while not unit.faults.struck():  # noqa: ASYNC110  # a fault has no event
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await server.stop()
        with contextlib.suppress(httpx.TransportError):
            assert (await hanging).status_code == 500
