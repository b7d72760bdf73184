"""`domnet` processes: one for each wire pair's USB device, which leads from it to TCP ports."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fat.degg.station.errors import StationError
from fat.degg.station.wire_pair import COMMAND_OFFSET

DETECTED: Final = re.compile(r"ICMs detected at address\w*:?(?P<list>[\d\s,]*)")
START_S: Final = 60.0
END_S: Final = 5.0
MAX_LINE: Final = 4096
HOST: Final = "127.0.0.1"


class DomnetFailed(StationError):
    """A domnet process does not start."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One group: its USB device, its base port, and the wire-pair addresses that it should have."""

    usb: str
    base: int
    expected: tuple[int, ...] = (0, 1, 2, 3)

    @property
    def ports(self) -> int:
        """Device ports, from the first one on."""
        return max(self.expected) + 1


class Domnet:
    """One process. It ends with `stop`, never by itself because of a Ctrl-C at our terminal."""

    def __init__(self, wanted: Wanted, command: Sequence[str], config: Path | None) -> None:
        self.wanted = wanted
        options = [] if config is None else ["-c", str(config)]
        self._line = [*command, wanted.usb, *options, "-p", str(wanted.base), "-n", str(wanted.ports)]
        self._process: subprocess.Popen[bytes] | None = None
        self._said: queue.Queue[str | None] = queue.Queue(maxsize=1000)
        self._reader: threading.Thread | None = None

    def start(self, timeout_s: float = START_S) -> list[int]:
        """Start it; the addresses of the ICMs that it says it found. Raises DomnetFailed."""
        try:
            self._process = subprocess.Popen(
                self._line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise DomnetFailed(
                f"{self._line[0]} does not start ({error}); name the program with --domnet"
            ) from None
        self._reader = threading.Thread(target=self._read, name=f"domnet {self.wanted.base}", daemon=True)
        self._reader.start()
        try:
            return self._addresses(timeout_s)
        except DomnetFailed:
            self.stop()
            raise

    def endpoints(self) -> dict[str, str]:
        """Addresses of the modules and of the command port."""
        base = self.wanted.base
        ports = {f"degg.{base + address}": base + address for address in self.wanted.expected}
        ports[f"icm.{base + COMMAND_OFFSET}"] = base + COMMAND_OFFSET
        return {key: f"tcp://{HOST}:{port}" for key, port in ports.items()}

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """End it, and wait until it is gone. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join()
        assert process.stderr is not None
        process.stderr.close()

    def _addresses(self, timeout_s: float) -> list[int]:
        deadline, last = time.monotonic() + timeout_s, ""
        while True:
            try:
                line = self._said.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise DomnetFailed(
                    f"domnet on {self.wanted.usb} found no ICMs within {timeout_s:.0f} s; is the field hub powered?"
                ) from None
            if line is None:
                raise DomnetFailed(f"domnet on {self.wanted.usb} ended: {last or 'without a word'}")
            found = DETECTED.search(line)
            if found is not None:
                return sorted({int(address) for address in re.findall(r"\d+", found["list"])})
            last = line.strip() or last

    def _read(self) -> None:
        """Take what it says, to its end, so that it never waits for us; only its beginning is kept."""
        assert self._process is not None
        assert self._process.stderr is not None
        while line := self._process.stderr.readline(MAX_LINE):
            if not self._said.full():
                self._said.put(line.decode(errors="replace"))
        if not self._said.full():
            self._said.put(None)
