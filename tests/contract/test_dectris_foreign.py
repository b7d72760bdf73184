"""Public clients of control units, unmodified, at ours: what each adds up is the truth."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import cbor2
import httpx
import numpy as np
import pytest
import zmq

from fat.bench.owned import OwnedBench
from pipeline.dectris.connection import connect
from pipeline.dectris.reduce import FrameSums, Sum

ENVIRONMENTS = Path(__file__).parents[2] / ".venvs"
SCRIPTS = Path(__file__).parents[1] / "foreign"
NAV = (4, 6)
IMAGES = NAV[0] * NAV[1]
TIMEOUT_S = 100
BENCH = """
[bench]
name = "dcu"
seed = 3
data_dir = "unused"
[sim.clock]
mode = "wall"
[sim.devices.dcu]
kind = "dcu"
"""
QUADRO = """
model = "QUADRO"
frames = { source = "scene", scene = "stem4d", nav = [4, 6], mean = 0.2 }
triggers = { source = "generator", delay_s = 0.05 }
"""
LARGEST = """
model = "EIGER2 X 16M"
frames = { source = "scene", scene = "flat" }
boot = "na"
"""

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]


def needs(environment: str, package: str) -> pytest.MarkDecorator:
    found = list((ENVIRONMENTS / environment / "lib").glob(f"python*/site-packages/{package}"))
    return pytest.mark.skipif(
        not found, reason=f"no environment .venvs/{environment} with the public client: run make test"
    )


@dataclass(frozen=True)
class Truth:
    """What a series adds up to, as the simulator knows it."""

    total: np.ndarray[Any, Any]
    frames: np.ndarray[Any, Any]
    mask: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Unit:
    bench: OwnedBench
    data_dir: Path

    @property
    def api(self) -> str:
        return str(self.bench.endpoints["dcu.api"])

    @property
    def host_port(self) -> tuple[str, str]:
        url = urlparse(self.api)
        return str(url.hostname), str(url.port)

    def put(self, path: str, value: Any = None) -> Any:
        module, rest = path.split("/", 1)
        body = {} if value is None else {"json": {"value": value}}
        answer = httpx.put(f"{self.api}/{module}/api/1.8.0/{rest}", timeout=TIMEOUT_S, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def series(self, **keys: Any) -> int:
        """Take a series of IMAGES with one software trigger; its number."""
        wanted = {
            "count_time": 1e-3,
            "frame_time": 1e-3,
            "trigger_mode": "ints",
            "ntrigger": 1,
            "nimages": IMAGES,
        }
        for key, value in (wanted | keys).items():
            self.put(f"detector/config/{key}", value)
        number = int(self.put("detector/command/arm")["sequence id"])
        self.put("detector/command/trigger")
        self.put("detector/command/disarm")
        return number

    def truth(self, series: int) -> Truth:
        path = self.data_dir / "dcu/truth" / f"series_{series:06d}"
        wait_for(path.with_suffix(".json").exists)
        with np.load(path.with_suffix(".npz")) as stored:
            ring = stored["image_sums_threshold_1"]
            frames = ring[np.arange(IMAGES) % len(ring)]
            return Truth(stored["sum_threshold_1"], frames, stored["pixel_mask_threshold_1"])


def wait_for(done: Any) -> None:
    pause = threading.Event()
    for _ in range(round(TIMEOUT_S / 0.02)):
        if done():
            return
        pause.wait(0.02)
    pytest.fail("it did not come")


def bring_up(folder: Path, table: str) -> OwnedBench:
    (folder / "dcu.toml").write_text(BENCH + table)
    return OwnedBench(folder / "dcu.toml", data_dir=folder / "data", log=folder / "bench.log")


def foreign_environment() -> dict[str, str]:
    """Nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost"}


def run(environment: str, script: str, *arguments: object) -> Any:
    """What a foreign client printed."""
    python = ENVIRONMENTS / environment / "bin/python"
    done = subprocess.run(
        [python, SCRIPTS / script, *map(str, arguments)],
        env=foreign_environment(),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unit]:
    folder = tmp_path_factory.mktemp("quadro")
    with bring_up(folder, QUADRO) as bench:
        yield Unit(bench, folder / "data")


@needs("libertem", "libertem_live")
def test_libertem_in_every_mode_adds_up_the_truth(unit: Unit, tmp_path: Path) -> None:
    stream = urlparse(str(unit.bench.endpoints["dcu.stream"]))
    told = run("libertem", "drive_libertem.py", *unit.host_port, stream.hostname, stream.port, tmp_path)
    three, once = (
        ("exte", "exts", "ints", "inte", "passive"),
        ("corrected", "masked", "active_again", "recovered"),
    )
    assert {name: len(numbers) for name, numbers in told["series"].items()} == {
        **dict.fromkeys(three, 3),
        **dict.fromkeys(once, 1),
    }
    assert told["complaint"], "an aborted series is an error there"
    numbers = [number for series in told["series"].values() for number in series]
    assert len(set(numbers)) == len(numbers)
    for name, series in told["series"].items():
        for index, number in enumerate(series):
            truth = unit.truth(number)
            with np.load(tmp_path / f"{name}_{index}.npz") as stored:
                total, frames, detector = stored["sum"], stored["frames"], stored["detector"]
                excluded = stored["excluded"]
            bad = truth.mask != 0
            assert 0 < np.count_nonzero(bad) < bad.size / 10
            assert np.array_equal(total, truth.total), (name, index)
            assert (truth.total[bad] == (0 if name == "masked" else IMAGES * 65535)).all()
            # This client fetches the mask with its corrections on, and hands the images out as they came.
            assert np.array_equal(excluded, bad if name == "corrected" else np.zeros(0))
            # The masked pixels' sum of a frame does not fit into its float32.
            assert np.allclose(frames.reshape(-1), truth.frames, rtol=1e-6)
            left = truth.total[:, : truth.total.shape[1] // 2].sum()
            assert detector.shape[:2] == NAV
            assert np.isclose(detector.sum(dtype=np.float64), left, rtol=1e-6)


@needs("fastcs", "fastcs_eiger")
def test_fastcs_eiger_acquires(unit: Unit) -> None:
    truths = unit.data_dir / "dcu/truth"
    before = set(truths.glob("*.json"))
    told = run("fastcs", "drive_fastcs.py", *unit.host_port, IMAGES)
    assert told["read_back"] == told["wanted"]
    wait_for(lambda: set(truths.glob("*.json")) > before)
    (new,) = set(truths.glob("*.json")) - before
    assert json.loads(new.read_text())["images"] == IMAGES


@needs("fastcs", "fastcs_eiger")
def test_fastcs_eiger_knows_every_parameter_of_a_16m(tmp_path: Path) -> None:
    with bring_up(tmp_path, LARGEST) as bench:
        told = run("fastcs", "drive_fastcs.py", *Unit(bench, tmp_path).host_port, 0)
    introspected = {name: len(found) for name, found in told["attributes"].items()}
    # One of the detector's is the client's own: trigger_exposure.
    assert introspected == {"detector": 77, "monitor": 7, "stream": 8}
    assert told["attributes"]["detector"]["state"] == "idle"
    assert told["attributes"]["detector"]["x_pixels_in_detector"] == "4148"


def legacy_images(socket: zmq.Socket[bytes]) -> Iterator[tuple[bytes, str, int]]:
    """Blob, algorithm and bytes of an element, of each image of a series."""
    while b"dseries_end" not in (parts := socket.recv_multipart())[0]:
        if b"dimage-" in parts[0]:
            kind = json.loads(parts[1])
            yield parts[2], "bslz4", {"uint8": 1, "uint16": 2, "uint32": 4}[kind["type"]]


def cbor_images(socket: zmq.Socket[bytes]) -> Iterator[tuple[bytes, str, int]]:
    """The same of stream 2."""
    while (message := cbor2.loads(socket.recv()))["type"] != "end":
        if message["type"] == "image":
            _, packed = message["data"]["threshold_1"].value
            algorithm, _, blob = packed.value.value
            yield blob, algorithm, {64: 1, 69: 2, 70: 4}[packed.tag]


@needs("dectris", "dectris/compression*")
@pytest.mark.parametrize(("form", "compression"), [("legacy", "bslz4"), ("cbor", "bslz4"), ("cbor", "lz4")])
def test_the_vendors_decoder_decodes_every_image(
    unit: Unit, tmp_path: Path, form: str, compression: str
) -> None:
    unit.put("stream/config/format", form)
    try:
        with zmq.Context() as context, context.socket(zmq.PULL) as pull:
            pull.setsockopt(zmq.RCVTIMEO, TIMEOUT_S * 1000)
            pull.connect(str(unit.bench.endpoints["dcu.stream" if form == "legacy" else "dcu.stream2"]))
            number = unit.series(compression=compression)
            images = list(legacy_images(pull) if form == "legacy" else cbor_images(pull))
    finally:
        unit.put("stream/config/format", "legacy")
        unit.put("detector/config/compression", "bslz4")
    for index, (blob, algorithm, element) in enumerate(images):
        (tmp_path / f"{index:04d}.{algorithm}.{element}").write_bytes(blob)
    sums = run("dectris", "decode_images.py", tmp_path)
    assert list(sums.values()) == unit.truth(number).frames.tolist()
    assert {name.split(".")[1] for name in sums} == {compression}


def record(unit: Unit, path: Path) -> int:
    """A series as it leaves the unit, each message part after its length; the series' number."""
    with zmq.Context() as context, context.socket(zmq.PULL) as pull, path.open("wb") as dump:
        pull.setsockopt(zmq.RCVTIMEO, TIMEOUT_S * 1000)
        pull.connect(str(unit.bench.endpoints["dcu.stream"]))
        for key, value in {"trigger_mode": "exte", "nimages": 1, "ntrigger": IMAGES}.items():
            unit.put(f"detector/config/{key}", value)
        number = int(unit.put("detector/command/arm")["sequence id"])
        ended = False
        while not ended:
            parts = pull.recv_multipart()
            for part in parts:
                dump.write(np.int64(len(part)).tobytes() + part)
            ended = b"dseries_end" in parts[0]
    return number


@needs("libertem", "libertem_live")
def test_our_acquisition_takes_three_series_of_libertems_own_simulator(unit: Unit, tmp_path: Path) -> None:
    number = record(unit, tmp_path / "dump.raw")
    command = [ENVIRONMENTS / "libertem/bin/python", SCRIPTS / "serve_libertem.py", tmp_path / "dump.raw"]
    with subprocess.Popen(
        command,
        env=foreign_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as theirs:
        assert theirs.stdin is not None
        assert theirs.stdout is not None
        ports = json.loads(theirs.stdout.readline())
        with connect(f"http://localhost:{ports['api']}", f"tcp://127.0.0.1:{ports['data']}") as connection:
            for _ in range(3):  # it lets nothing be configured: somebody arms it, we take what comes
                arming = threading.Thread(target=connection.client.arm)
                arming.start()
                pending = connection.wait_for_acquisition(timeout=TIMEOUT_S)
                arming.join()
                assert pending is not None
                assert pending.series == number
                result = connection.prepare(NAV, pending=pending).run([Sum(), FrameSums()])
                assert result.complete, result.sentences()
                assert np.array_equal(result.results[0], unit.truth(number).total)
                assert result.results[1].reshape(-1).tolist() == unit.truth(number).frames.tolist()
        theirs.stdin.close()
        assert theirs.wait(60) == 0


@needs("libertem", "PIL")
def test_h5py_reads_the_files_and_pillow_the_monitor(unit: Unit, tmp_path: Path) -> None:
    for path, value in (
        ("stream/config/mode", "disabled"),
        ("filewriter/config/mode", "enabled"),
        ("filewriter/config/nimages_per_file", 10),
        ("monitor/config/mode", "enabled"),
    ):
        unit.put(path, value)
    try:
        number = unit.series()
        truth = unit.truth(number)
        names = [f"series_{number}_{part}.h5" for part in ("master", *(f"data_{n:06d}" for n in (1, 2, 3)))]
        for name in names:
            wait_for(lambda name=name: httpx.head(f"{unit.api}/data/{name}").status_code == 200)
            (tmp_path / name).write_bytes(httpx.get(f"{unit.api}/data/{name}").content)
        shown = httpx.get(f"{unit.api}/monitor/api/1.8.0/images/monitor", timeout=TIMEOUT_S)
        assert shown.status_code == 200
        (tmp_path / "monitor.tif").write_bytes(shown.content)
    finally:
        for module, mode in (("stream", "enabled"), ("filewriter", "disabled"), ("monitor", "disabled")):
            unit.put(f"{module}/config/mode", mode)
    told = run("libertem", "read_dcu_files.py", tmp_path / names[0], tmp_path / "monitor.tif")
    assert told["links"] == [[name[-14:-3], "ExternalLink", name] for name in names[1:]]
    assert told["sums"] == truth.frames.tolist()
    assert np.array_equal(np.load(tmp_path / f"{names[0]}.sum.npy"), truth.total)
    assert told["monitor"]["format"] == "TIFF"
    assert told["monitor"]["size"] == list(reversed(truth.total.shape))
    assert told["monitor"]["sum"] in set(truth.frames.tolist())


def test_a_client_that_reads_once_and_at_most_512_bytes_understands_every_answer(unit: Unit) -> None:
    host, port = unit.host_port

    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:

        def ask(method: str, path: str, body: bytes = b"", status: bytes = b"200") -> Any:
            """As strict as areaDetector's driver: one recv, the status exactly, the length told."""
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            if body:
                head += "Content-Type: application/json\r\n"
            connection.sendall(head.encode() + b"\r\n" + body)
            answer = connection.recv(512)
            assert answer.startswith(b"HTTP/1.1 " + status + b" "), answer
            header, _, content = answer.partition(b"\r\n\r\n")
            if status == b"204":
                return None
            fields = dict(line.split(b": ", 1) for line in header.lower().split(b"\r\n")[1:])
            assert b"transfer-encoding" not in fields
            assert int(fields[b"content-length"]) == len(content)
            return json.loads(content)

        detector = "/detector/api/1.8.0"
        assert ask("GET", "/detector/api/version")["value"] == "1.8.0"
        assert ask("GET", f"{detector}/config/x_pixels_in_detector")["value"] == 512
        for key in ("count_time", "frame_time", "nimages", "photon_energy", "trigger_mode", "description"):
            ask("GET", f"{detector}/config/{key}")
        changed = ask("PUT", f"{detector}/config/nimages", b'{"value": 3}')
        assert "nimages" in changed
        assert ask("PUT", f"{detector}/command/arm")["sequence id"] > 0
        assert ask("GET", f"{detector}/status/state")["value"] == "ready"
        assert ask("PUT", f"{detector}/command/cancel")["sequence id"] > 0
        assert ask("GET", f"{detector}/status/state")["value"] == "idle"
