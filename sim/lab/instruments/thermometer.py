r"""Lutron TM-947SD thermometer: 9600 8N1, four channels, takes no commands and sends all the time.

One word of 16 bytes for each channel: 0x02, `4`, the channel `1`..`4`, unit `01` Celsius or `02` Fahrenheit, polarity
`0` or `1` (negative), decimals `0`..`3`, eight digits, CR. A channel without a probe is not sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.lab.lines import LINK_FAULTS, READING_FAULTS, Answer, Readings, Talker
from sim.lab.tables.serial import ThermometerTable
from sim.lab.world import ColdPath

CHANNELS: Final = (1, 2, 3, 4)
BAUD: Final = 9600
THERMOMETER_FAULTS: Final = (
    *LINK_FAULTS,
    *READING_FAULTS,
    FaultSpec(
        "miss_probe",
        "The probe of a channel is pulled, 0: of every channel; the channel is not sent.",
        "no value for that channel",
        {"channel": 1},
    ),
    FaultSpec(
        "show_fahrenheit",
        "Somebody pressed the unit key: values are in Fahrenheit, with its unit code.",
        "values leave their window; the unit code is 02",
    ),
)
"""Faults of the thermometer."""


class Thermometer:
    """Four probes: 1 on a vessel, 2 in the freezer outside the box, 3 in the box, 4 in the laboratory."""

    def __init__(self, faults: FaultBoard, cold: ColdPath, table: ThermometerTable) -> None:
        self._faults, self._cold, self._table = faults, cold, table
        self._readings = Readings(faults)

    @property
    def period_s(self) -> float:
        """Seconds of wall time between two words of a channel."""
        return self._table.period_s

    def connect(self) -> Talker:
        """Somebody who listens."""
        return Deaf()

    def speak(self, now: SimTime, /) -> bytes:
        """A word for each channel that has a probe."""
        missing = self._faults.strike("miss_probe")
        unplugged = None if missing is None else missing.parameters["channel"]
        fahrenheit = (self._table.unit == "F") != (self._faults.strike("show_fahrenheit") is not None)
        words = []
        for channel in sorted(set(self._table.probes)):
            if unplugged in (0, channel):
                continue
            celsius = self._readings.shown(str(channel), self._true(channel, now), now)
            words.append(
                word(
                    channel, celsius * 9 / 5 + 32 if fahrenheit else celsius, fahrenheit, self._table.decimals
                )
            )
        return b"".join(words)

    def _true(self, channel: int, now: SimTime) -> float:
        cold = self._cold
        if channel == 1:
            return cold.glass(now)
        if channel == 2:
            # The freezer itself is at its set-point; what lags behind it is the box.
            return cold.set_point if cold.running and not cold.open else cold.outside()
        return cold.air(now) if channel == 3 else cold.outside()


class Deaf:
    """The meter takes no commands."""

    def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:  # noqa: ARG002  # nobody listens
        """Nothing comes of it."""
        return ()


def word(channel: int, value: float, fahrenheit: bool, decimals: int) -> bytes:
    """One value as it is sent: 16 bytes."""
    digits = min(round(abs(value) * 10**decimals), 99_999_999)
    negative = value < 0 and digits > 0
    unit = "02" if fahrenheit else "01"
    return f"\x024{channel}{unit}{int(negative)}{decimals}{digits:08d}\r".encode()
