"""A room for a module alone, and readers of what its channels send, written from the tables of peripherals.md."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.degg.channel import Channel, SyncChannel, Trigger
from sim.degg.clock import DomClock
from sim.degg.faults import MODULE_FAULTS
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.surroundings import Light
from sim.degg.truth import ModuleTruth
from sim.kernel import NS_PER_S, FaultBoard, SimTime

SERIAL = "DEgg2021-3-133"
VOLTS_PER_COUNT = 0.075e-3
LOAD_OHM = 36.96
TICK_S = 1 / 240e6


@dataclass
class Room:
    """Light and cold as a test sets them; `script` may change the light at moments."""

    celsius: float = -40.0
    on: Light | None = None
    script: list[tuple[SimTime, Light | None]] = field(default_factory=list)
    dark_since_s: float = math.inf

    def light(self, at: SimTime) -> Light | None:
        past = [light for since, light in self.script if since <= at]
        return past[-1] if past else self.on

    def sync(self, at: SimTime) -> Light | None:
        light = self.light(at)
        return light and Light(light.since, light.frequency_hz, 1.0, light.pulses, light.spacing_ns)

    def light_changes_after(self, at: SimTime) -> SimTime | None:
        return next((since for since, _ in self.script if since > at), None)

    def dark_for_s(self, at: SimTime) -> float:
        return self.dark_since_s

    def glass_temperature(self, at: SimTime) -> float:
        return self.celsius

    def board_temperature(self, at: SimTime) -> float:
        return self.celsius + 12.0

    def powered_since(self, at: SimTime) -> SimTime | None:
        return SimTime(0)


def at(seconds: float) -> SimTime:
    return SimTime(round(seconds * NS_PER_S))


def truth(seed: int = 7, serial: str = SERIAL) -> ModuleTruth:
    return ModuleTruth.of(seed, serial)


def channel(
    room: Room, number: int = 0, seed: int = 7, serial: str = SERIAL, **figures: Any
) -> tuple[Channel, FaultBoard]:
    """A photomultiplier at its nominal high voltage, ramped up at 60 s."""
    of = truth(seed, serial)
    faults = FaultBoard("degg.5000", MODULE_FAULTS)
    pmt = of.channels[number]
    made = Channel(pmt, number, room, faults, seed, serial, PhotomultiplierFigures(**figures), of.clock())
    made.hv.enable(True, at(0))
    made.hv.set(pmt.v0(room.celsius), at(0))
    return made, faults


def tabletop(room: Room, clock: DomClock | None = None) -> SyncChannel:
    """Channel 0 of a tabletop mainboard, whose clock runs 5 ppm too fast."""
    return SyncChannel(
        0, room, 7, "tabletop", PhotomultiplierFigures(), clock or DomClock(17_000_000_123, 5.0)
    )


def level(of: Channel | SyncChannel, counts: float, samples: int = 128) -> Trigger:
    """A threshold so many counts over the baseline."""
    return Trigger("threshold", math.ceil(of.baseline_counts() + counts), samples)


def fir(counts: float) -> Trigger:
    """The filtered trigger as the scripts set it: counts over baseline x sum of the coefficients x 16."""
    return Trigger("fir", math.ceil(counts) * 2 * 16)


def stamps(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times in ticks and charges in picocoulomb of charge stamps, read byte by byte as the table says."""
    times, charges = [], []
    for record in (data[n : n + 14] for n in range(0, len(data), 14)):
        assert record[0] & 0x0F == 0
        assert record[0] & 0x10
        assert record[1] & 0xE0 == 0
        times.append(int.from_bytes(record[4:10], "little") | (record[0] >> 6) << 48)
        charges.append(struct.unpack("<f", record[10:])[0] * 1e12)
    return np.array(times), np.array(charges)


def waveforms(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times in ticks and samples in counts of a block of records 0x82, read word by word."""
    times, samples = [], []
    place = 0
    while place + 4 <= len(data):
        (count,) = struct.unpack_from("<I", data, place)
        if count == 0:
            break
        words = np.frombuffer(data, "<u2", count, place + 4).astype(np.int64)
        assert words[0] >> 8 == 0x82
        times.append(
            (int(words[2]) >> 6 & 3) | int(words[5]) << 2 | int(words[4]) << 18 | int(words[3]) << 34
        )
        samples.append(words[17:-2] >> 2)
        place += 4 + 2 * count
    return np.array(times), np.array(samples)


def charges_of(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Picocoulomb, as the analysis computes them: 16 samples from sample 13 over the median of the first ten."""
    over = samples[:, 13:29] - np.median(samples[:, :10], axis=1, keepdims=True)
    return np.asarray(over.sum(axis=1) * VOLTS_PER_COUNT * TICK_S / LOAD_OHM * 1e12)


def gaussian_peak(
    values: NDArray[np.float64], low: float, high: float, bins: int = 40
) -> tuple[float, float]:
    """Mean and width of a Gaussian fitted to a histogram between two limits: a parabola in the logarithm."""
    counts, edges = np.histogram(values, bins=bins, range=(low, high))
    centre = 0.5 * (edges[1:] + edges[:-1])
    good = counts > 5
    a, b, _ = np.polyfit(centre[good], np.log(counts[good]), 2, w=np.sqrt(counts[good]))
    return float(-b / (2 * a)), float(np.sqrt(-1 / (2 * a)))
