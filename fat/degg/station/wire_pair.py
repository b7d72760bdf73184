"""One wire pair by its command port: domnet's ICM commands, JSON over ZeroMQ."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import zmq

from fat.degg.station.address import host_and_port
from fat.degg.station.errors import InstrumentRefused, InstrumentSilent

HUB: Final = 8
HUB_HZ: Final = 60_000_000
"""Wire-pair address of the field hub's own ICM."""
MODULES: Final = (0, 1, 2, 3)
TIMEOUT_S: Final = 11.0
"""What public clients wait for."""
COMMAND_OFFSET: Final = 1000
"""A group's command port is its base port and so much."""
MAX_ANSWER: Final = 1 << 16
GPS_LOCKED: Final = 0x000E
GPS_READY: Final = 0x0002
SNAPSHOT_TRIES: Final = 30
SNAPSHOT_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The field hub's clock at a full second.

    unix_s  UTC
    ticks   of 60 MHz, whole
    """

    unix_s: int
    ticks: int

    def ticks_at(self, unix_s: int) -> int:
        """What the hub's clock showed, or will show, at another full second: GPS disciplines it."""
        return self.ticks + (unix_s - self.unix_s) * HUB_HZ


class WirePair:
    """Power, interlocks and registers of one group. Methods raise InstrumentSilent and InstrumentRefused."""

    def __init__(self, base: int, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self.base, self.address = base, address
        self.name = f"wire pair {base}"
        self._timeout_ms = int(timeout_s * 1000)
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None

    def ask(self, command: str, device: int | None = None, **more: str) -> Any:
        """The value of an answer (None when it has none). A status other than OK raises InstrumentRefused.

        more  `register`, `value`
        """
        request = {"command": command, **({} if device is None else {"device": str(device)}), **more}
        shown = " ".join(str(part) for part in request.values())
        client = self._connected()
        try:
            client.send(json.dumps(request).encode())
            body = client.recv()
        except zmq.Again:
            self.close()  # a REQ socket that waits for an answer takes no other request
            raise InstrumentSilent(self.name, self.address, f"does not answer {shown!r}") from None
        try:
            answer = json.loads(body[:MAX_ANSWER])
            status = answer["status"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InstrumentRefused(self.name, shown, f"no answer in JSON: {body[:80]!r}") from None
        if status != "OK":
            raise InstrumentRefused(self.name, shown, str(status))
        return answer.get("value")

    def addresses(self) -> list[int]:
        """Wire-pair addresses of the ICMs that are connected; the hub is 8."""
        found = self.ask("devlist")
        if not isinstance(found, list) or not all(str(item).isdecimal() for item in found):
            raise InstrumentRefused(self.name, "devlist", f"no list of addresses: {found!r}")
        return sorted(int(item) for item in found)

    def probe(self) -> list[int]:
        """Look again who is there; returns their addresses."""
        self.ask("probe")
        return self.addresses()

    def register(self, device: int, register: str) -> str:
        """A register's text: `0x0102`."""
        return str(self.ask("read", device, register=register))

    def power(self, on: bool) -> None:
        """Power of the wire pair. Modules that got it reappear after `probe`."""
        self.ask("wp_on" if on else "wp_off", HUB)

    def mainboards(self, on: bool, device: int | None = None) -> None:
        """Power of the mainboards: of each in turn, or of one."""
        self.ask("mb_on" if on else "mb_off", device)

    def permit_hv(self, on: bool = True, device: int | None = None) -> None:
        """The PMT-HV interlock: of each module in turn, or of one."""
        self.ask("pmt_hv_enable" if on else "pmt_hv_disable", device)

    def permit_light(self, on: bool = True, device: int | None = None) -> None:
        """The calibration (LID) interlock, for flashers and cameras."""
        self.ask("lid_enable" if on else "lid_disable", device)

    def permit_flash(self, on: bool = True, device: int | None = None) -> None:
        """The flash interlock, which a self-test needs."""
        self.ask("mcu_flash_enable" if on else "mcu_flash_disable", device)

    def reboot_icm(self, device: int, image: int | None = None) -> None:
        """Start an ICM's image anew."""
        self.ask("icm_fpga_reboot", device, **({} if image is None else {"value": str(image)}))

    def calibrate(self, device: int) -> None:
        """One RAPCal exchange; its packet arrives at the module's console."""
        self.ask("rapcal", device)

    def snapshot(self, wait_s: Callable[[float], None]) -> Snapshot:
        """The hub's clock at a full second of UTC, by GPS. Raises InstrumentRefused when there is no lock.

        wait_s  lets time pass on the bench's clock
        """
        if self._whole("get_gps_status") & GPS_LOCKED != GPS_LOCKED:
            raise InstrumentRefused(
                self.name, "get_gps_status", "no lock; has the antenna a view of the sky?"
            )
        self.ask("gps_enable")
        for _ in range(SNAPSHOT_TRIES):
            if self._whole("get_gps_ctrl") == GPS_READY:
                break
            wait_s(SNAPSHOT_POLL_S)
        else:
            raise InstrumentRefused(self.name, "get_gps_ctrl", "no snapshot of time came")
        said, ticks = str(self.ask("get_gps_time")), self._whole("get_icm_time", HUB)
        try:
            at = datetime.strptime(said, "%Y-%jT%H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            raise InstrumentRefused(self.name, "get_gps_time", said) from None
        return Snapshot(int(at.timestamp()), ticks)

    def volts(self) -> float:
        """Of the wire pair."""
        return self._number("wp_voltage")

    def amperes(self) -> float:
        """Of the wire pair."""
        return self._number("wp_current")

    def close(self) -> None:
        """Leave the command port."""
        client, self._socket = self._socket, None
        context, self._context = self._context, None
        if client is not None:
            client.close(linger=0)
        if context is not None:
            context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _whole(self, command: str, device: int | None = None) -> int:
        said = str(self.ask(command, device))
        try:
            return int(said, 0)
        except ValueError:
            raise InstrumentRefused(self.name, command, said) from None

    def _number(self, command: str) -> float:
        said = str(self.ask(command))
        try:
            return float(said)
        except ValueError:
            raise InstrumentRefused(self.name, command, said) from None

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            host, port = host_and_port(self.name, self.address)
            self._context = zmq.Context()
            self._socket = self._context.socket(zmq.REQ)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.RCVTIMEO, self._timeout_ms)
            self._socket.setsockopt(zmq.SNDTIMEO, self._timeout_ms)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER)
            self._socket.connect(f"tcp://{host}:{port}")
        return self._socket
