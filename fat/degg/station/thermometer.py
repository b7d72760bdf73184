r"""The thermometer, a Lutron TM-947SD on a serial port: it sends all the time and takes no commands.

A word for each channel with a probe: 0x02, `4`, channel `1`..`4`, unit `01` Celsius or `02` Fahrenheit, polarity,
decimals, eight digits, CR.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import serial

from fat.degg.station.errors import InstrumentSilent

BAUD: Final = 9600
CHANNELS: Final = (1, 2, 3, 4)
ABOUT: Final = {1: "a vessel", 2: "the freezer outside the box", 3: "inside the box", 4: "the laboratory"}
TIMEOUT_S: Final = 8.0
"""Real ones repeat a channel every 0.4 to 1 s."""
MAX_KEPT: Final = 4096
_WORD: Final = re.compile(rb"\x024([1-4])(01|02)([01])([0-3])(\d{8})\r")
_FAHRENHEIT: Final = b"02"


class Thermometer:
    """Four probes. Methods raise InstrumentSilent."""

    name = "the thermometer"

    def __init__(self, path: str, timeout_s: float = TIMEOUT_S) -> None:
        self.path, self._timeout_s = path, timeout_s
        self._port: serial.Serial | None = None

    def read(self, channels: Sequence[int] = CHANNELS) -> dict[int, float]:
        """Celsius by channel. Raises InstrumentSilent, naming channels without a probe, when some do not come."""
        port = self._open()
        got, found, deadline = bytearray(), dict[int, float](), time.monotonic() + self._timeout_s
        try:
            port.reset_input_buffer()
            while missing := [channel for channel in channels if channel not in found]:
                if time.monotonic() > deadline:
                    raise self._gone(f"sends nothing for channel {', '.join(map(str, missing))}")
                got += port.read(max(1, port.in_waiting))
                del got[:-MAX_KEPT]
                found |= readings(bytes(got))
        except (OSError, serial.SerialException) as error:
            raise self._gone(f"hung up ({error})") from None
        return {channel: found[channel] for channel in channels}

    def close(self) -> None:
        """Leave the port."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> serial.Serial:
        if self._port is None:
            try:
                self._port = serial.Serial(self.path, BAUD, timeout=0.5)
            except (OSError, serial.SerialException) as error:
                raise InstrumentSilent(self.name, self.path, f"does not open ({error})") from None
        return self._port

    def _gone(self, what: str) -> InstrumentSilent:
        self.close()
        return InstrumentSilent(self.name, self.path, what)


def readings(data: bytes) -> dict[int, float]:
    """The last whole word of each channel in what was sent, Celsius."""
    found = {}
    for channel, unit, negative, decimals, digits in _WORD.findall(data):
        value = int(digits) / 10 ** int(decimals) * (-1 if negative == b"1" else 1)
        found[int(channel)] = (value - 32) / 1.8 if unit == _FAHRENHEIT else value
    return found
