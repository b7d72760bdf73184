"""What the fixtures yield: simulators as a test sees them, by address only."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from fat.bench.client import ControlClient
from fat.instruments.detector import DetectorControl, TrainSpan
from fat.instruments.http import JsonPeer

NS_PER_S: Final = 1_000_000_000
DATAGRAM_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.005


class Faults:
    """The fault switches of every simulator of a test."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def on(self, device: str, fault: str, *, times: int | None = None, **parameters: Any) -> None:
        """Switch a fault on. Raises BenchError with the faults that there are when it is unknown."""
        self._control.switch_fault(device, fault, times=times, **parameters)

    def off(self, device: str, fault: str) -> None:
        """Switch a fault off."""
        self._control.switch_fault(device, fault, on=False)

    def struck(self, device: str) -> dict[str, int]:
        """How often each fault of a device has struck."""
        return dict(self._control.status()["devices"][device]["struck"])


class ManualClock:
    """The bench's clock in the hands of a test."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def advance(self, seconds: float) -> float:
        """Move simulated time; returns it, in seconds, once everybody waits again."""
        return self._control.advance(round(seconds * NS_PER_S)) / NS_PER_S


class AgipdModule:
    """One simulated AGIPD module, and a socket that receives what it sends."""

    def __init__(self, control_url: str, receiver: socket.socket, truth: Path) -> None:
        self.control = DetectorControl(control_url)
        self.receiver = receiver
        """A bound UDP socket; the module sends its datagrams there."""
        self.truth = truth
        """HDF5 file with everything that the module is made from."""

    def configure(self, *, gain_mode: str = "adaptive", illumination: str = "dark") -> None:
        """Set gain mode and illumination."""
        self.control.configure(gain_mode=gain_mode, illumination=illumination)

    def start(self, trains: int) -> TrainSpan:
        """Send trains from the next tick (100 ms of simulated time) on."""
        return self.control.start(trains)

    def datagrams(self, count: int) -> list[bytes]:
        """The next *count* datagrams. Raises TimeoutError when they do not come within seconds."""
        return [self.receiver.recv(65536) for _ in range(count)]


@dataclass(frozen=True, slots=True, eq=False)
class SeriesTruth:
    """What the images of one series of a control unit add up to, by channel (`threshold_1`, …)."""

    facts: dict[str, Any]
    """`images`, `expected`, `totals` by channel, `series`, `trigger_mode`, sizes and times."""
    sums: dict[str, NDArray[np.uint64]]
    """(height, width) sum of all images as sent."""
    image_sums: dict[str, NDArray[np.uint64]]
    """(distinct,) sum over the pixels; image i shows i % distinct."""
    pixel_masks: dict[str, NDArray[np.uint32]]
    """(height, width); bit 0 gap, 1 dead."""


class Dcu:
    """A simulated DECTRIS control unit."""

    def __init__(self, api: str, stream: str, stream2: str, trigger: str, truth: Path) -> None:
        self.api = api
        """Base URL; requests go to `{api}/detector/api/1.8.0/…`."""
        self.stream = stream
        """ZeroMQ address for a PULL socket: stream 1."""
        self.stream2 = stream2
        """The same for stream 2 (CBOR)."""
        self.trigger = trigger
        """`tcp://host:port` of the electrical trigger input: lines, see docs/dectris.md."""
        self._truth = truth

    def truth(self, series: int, timeout_s: float = 10.0) -> SeriesTruth:
        """What the series with this number should add up to; it must have ended. Raises TimeoutError."""
        path = self._truth / f"series_{series:06d}.npz"
        deadline = time.monotonic() + timeout_s
        while not path.with_suffix(".json").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the truth of series {series} does not come; has the series ended?")
            time.sleep(POLL_S)
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with np.load(path) as arrays:
            found = {name: arrays[name] for name in arrays.files}

        def of(kind: str) -> dict[str, Any]:
            return {name.removeprefix(kind): found[name] for name in found if name.startswith(kind)}

        return SeriesTruth(facts, of("sum_"), of("image_sums_"), of("pixel_mask_"))


class Caldb:
    """A simulated calibration catalogue."""

    def __init__(self, rest: str, store: Path, remotes: Sequence[str] = ()) -> None:
        self.rest = rest
        """Base URL without `/api`."""
        self.store = store
        """Folder of the constants files."""
        self.remotes = tuple(remotes)
        """ZeroMQ addresses of the remotes."""


class Lab:
    """A simulated laboratory: instruments and optical modules, by address only."""

    def __init__(self, endpoints: Mapping[str, Any], token: str, truth: Path) -> None:
        self._endpoints, self._truth = endpoints, truth
        self.token = token
        """What a change at the laboratory's page needs."""

    def __getitem__(self, part: str) -> str:
        """Where a part is reached: `lab["filter_wheel_0"]`, `lab["degg.5000"]`, `lab["icm.6000"]`. Raises KeyError."""
        return str(self._endpoints[part if part in self._endpoints else f"lab.{part}"])

    def host_and_port(self, part: str) -> tuple[str, int]:
        """The same, as `socket.create_connection` takes it; for parts at a TCP port."""
        found = urlsplit(self[part])
        assert found.hostname is not None
        assert found.port is not None
        return found.hostname, found.port

    def state(self) -> dict[str, Any]:
        """What its live page shows: `light`, `cold`, `power`, `modules`, `parts` (docs/lab.md)."""
        with JsonPeer("the laboratory's page", self["page"]) as peer:
            answer = peer.request("GET", "/state")
        assert isinstance(answer, dict)
        return answer

    def truth(self, port: int) -> dict[str, Any]:
        """What the module at a nominal port is made from, such as `channels[0].v0_volts`; instruments never tell."""
        path = self._truth / f"degg_{port}.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


class Slack:
    """A simulated Slack."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        """What a client takes as its base URL, ending in `/api/`."""

    def messages(self) -> list[dict[str, Any]]:
        """Everything posted so far, oldest first."""
        with JsonPeer("the simulated Slack", self.base_url.removesuffix("/api/")) as peer:
            answer = peer.request("GET", "/messages")
        return list(answer["messages"] if isinstance(answer, dict) else answer)


def receiver_socket() -> socket.socket:
    """A UDP socket on a free port of the loopback, with a buffer for a few trains."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.settimeout(DATAGRAM_TIMEOUT_S)
    sock.bind(("127.0.0.1", 0))
    return sock
