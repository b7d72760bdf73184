"""RAPCal: the relation between a module's clock and its field hub's, from exchanges of pulses over the wire pair.

A packet follows its command at the module's console, unasked. Header: 0x5243; version << 9 | address, with a bit that
says that the module's pulse was missed. Then four times of 48 bits, big-endian, in ticks of 60 MHz: hub sends, module
receives, module sends, hub receives; then 64 samples of the module's receiver and 64 of the hub's, the last sample
first, whose top bit is set from the one on that fired the discriminator (public reader, packet version 0).
A time of reception belongs to the second sample after the first with the top bit; the pulse came where its falling
edge crosses the baseline. The delay of cable and receivers is the same both ways, so it drops out of the middle
between sending and receiving, which both clocks passed at the same moment.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from fat.degg.station.errors import AnswerMalformed
from fat.degg.station.module import Module
from fat.degg.station.wire_pair import WirePair

ICM_HZ: Final = 60_000_000
DOM_PER_ICM: Final = 4
"""The mainboard counts 240 MHz from the same zero."""
MAGIC: Final = 0x5243
MISSED: Final = 0x0020
PACKET_TIMEOUT_S: Final = 5.0
TRIES: Final = 3
SAMPLES: Final = 64
BASELINE_SAMPLES: Final = 20
TICKS_PER_SAMPLE: Final = 2
_HEADER: Final = struct.Struct(">HH")
_PACKET_BYTES: Final = 4 * 6 + 2 * 2 * SAMPLES
_FLAG: Final = 0x8000


@dataclass(frozen=True, slots=True)
class Exchange:
    """A moment that both clocks saw.

    hub, module            ticks of 60 MHz, whole
    hub_part, module_part  what is to be added to them, ticks
    """

    hub: int
    hub_part: float
    module: int
    module_part: float


@dataclass(frozen=True, slots=True)
class ClockRelation:
    """Straight line between two exchanges. Ten seconds between them give the rate to some 1e-11."""

    first: Exchange
    rate: float
    """Ticks of the hub for a tick of the module."""

    @classmethod
    def between(cls, first: Exchange, second: Exchange) -> Self:
        """From two exchanges; the second may be the earlier one. Raises ValueError when they are the same moment."""
        module = second.module - first.module + (second.module_part - first.module_part)
        hub = second.hub - first.hub + (second.hub_part - first.hub_part)
        if module == 0:
            raise ValueError("two exchanges at different moments are needed")
        return cls(first, hub / module)

    def seconds(self, ticks: NDArray[np.int64], zero: int) -> NDArray[np.float64]:
        """When the module's clock showed *ticks* (240 MHz): seconds since the hub's clock showed *zero* (60 MHz)."""
        after = (ticks - DOM_PER_ICM * self.first.module) / DOM_PER_ICM - self.first.module_part
        hub = self.first.hub - zero + self.first.hub_part + after * self.rate
        return np.asarray(hub / ICM_HZ, np.float64)


def exchange(module: Module, pair: WirePair, address: int) -> Exchange:
    """One exchange with a module; a missed pulse is tried again. Raises AnswerMalformed.

    address  of the module on its wire pair
    """
    module.console.listen()
    for _ in range(TRIES):
        pair.calibrate(address)
        magic, about = _HEADER.unpack(module.console.unasked(_HEADER.size, PACKET_TIMEOUT_S))
        if magic != MAGIC:
            module.console.close()
            raise AnswerMalformed(module.name, "rapcal", f"begins with {magic:#06x} and not {MAGIC:#06x}")
        if not about & MISSED:
            return read_packet(module.console.unasked(_PACKET_BYTES, PACKET_TIMEOUT_S), module.name)
    raise AnswerMalformed(module.name, "rapcal", f"says {TRIES} times that the pulse was missed")


def read_packet(packet: bytes, who: str = "module") -> Exchange:
    """A packet without its header. Raises AnswerMalformed."""
    if len(packet) != _PACKET_BYTES:
        raise AnswerMalformed(who, "rapcal", f"has {len(packet)} bytes and not {_PACKET_BYTES}")
    sent, received, returned, back = (int.from_bytes(packet[6 * n : 6 * n + 6], "big") for n in range(4))
    samples = np.frombuffer(packet, ">u2", offset=24).reshape(2, SAMPLES)[:, ::-1]
    at_module, at_hub = (_crossing(row, who) for row in samples)
    hub, module = (sent + back) // 2, (received + returned) // 2
    return Exchange(
        hub,
        (sent + back) / 2 - hub + at_hub / 2,
        module,
        (received + returned) / 2 - module + at_module / 2,
    )


def _crossing(row: NDArray[np.uint16], who: str) -> float:
    """Ticks from the time of reception to the moment at which the falling edge crosses the baseline (below 0)."""
    fired = np.flatnonzero(row & _FLAG)
    if not fired.size or not BASELINE_SAMPLES < fired[0] < SAMPLES:
        raise AnswerMalformed(who, "rapcal", "shows no pulse in its samples")
    volts = (row & (_FLAG - 1)).astype(np.float64)
    volts -= volts[:BASELINE_SAMPLES].mean()
    below = np.flatnonzero(volts[: fired[0] + 1] > 0)
    before = int(below[-1]) if below.size else int(fired[0]) - 1
    places = np.arange(max(0, before - 1), min(SAMPLES, before + 2))
    slope, level = np.polyfit(places - before, volts[places], 1)
    if slope >= 0:
        raise AnswerMalformed(who, "rapcal", "shows no falling edge in its samples")
    return float(TICKS_PER_SAMPLE * (before - level / slope - (int(fired[0]) + 2)))
