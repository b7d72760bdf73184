"""What events of sixteen optical modules cost: `python benchmarks/lab_events.py [--quick]`.

Both channels of each module, laser at 100 Hz, photomultipliers at -40 C. Time is processor time of one thread, after
warm-up, and hardly changes when the machine is busy. The last column of the first table says what share of one core
all 32 channels take at 100 Hz in real time.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from sim.degg.channel import Channel, Trigger
from sim.degg.digitiser.records import bytes_of_record
from sim.degg.faults import MODULE_FAULTS
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.surroundings import Light
from sim.degg.truth import ModuleTruth
from sim.kernel import NS_PER_S, FaultBoard, SimTime

START = SimTime(100 * NS_PER_S)
CELSIUS = -40.0
LASER_HZ = 100.0
BLOCK = 66_000
"""Bytes that the public client asks for."""
STAMPS = 400
"""Charge stamps that its scripts ask for."""
SCAN_POINT = 10_000


@dataclass
class Room:
    """A cold box with a laser."""

    on: Light | None = None

    def light(self, at: SimTime) -> Light | None:  # noqa: ARG002
        """The laser."""
        return self.on

    def sync(self, at: SimTime) -> Light | None:  # noqa: ARG002
        """Its sync."""
        return self.on

    def light_changes_after(self, at: SimTime) -> SimTime | None:  # noqa: ARG002
        """Never."""
        return None

    def dark_for_s(self, at: SimTime) -> float:  # noqa: ARG002
        """Light leaves dark counts."""
        return math.inf if self.on is None else 0.0

    def glass_temperature(self, at: SimTime) -> float:  # noqa: ARG002
        """Cold."""
        return CELSIUS

    def board_temperature(self, at: SimTime) -> float:  # noqa: ARG002
        """Less cold."""
        return CELSIUS + 12.0

    def powered_since(self, at: SimTime) -> SimTime | None:  # noqa: ARG002
        """Always."""
        return SimTime(0)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four modules, fewer events")
    quick = parser.parse_args().quick
    room = Room()
    channels = [channel for n in range(4 if quick else 16) for channel in made(room, n)]
    events = 800 if quick else 4000
    print(f"{len(channels)} channels, laser {LASER_HZ:.0f} Hz, 128 samples")
    print(f"{'':<40}{'events':>9}{'us/event':>10}{'events/s':>11}{'of a core at 32 x 100 Hz':>26}")
    for name, strength, counts in (
        ("dark, 25 counts", 0.0, 25),
        ("filters 0.01, 40 counts", 0.01, 40),
        ("filters 0.05, 280 counts", 0.05, 280),
        ("filters 0.25, 650 counts", 0.25, 650),
        ("no filter, 2100 counts", 1.0, 2100),
    ):
        room.on = Light(SimTime(NS_PER_S + 12_345), LASER_HZ, strength) if strength else None
        for kind, fetch in (("charge stamps", stamps), ("waveforms", waveforms)):
            count, us = measured(channels, counts, fetch, events)
            share = us * 1e-6 * LASER_HZ * 32
            print(f"{name + ', ' + kind:<40}{count:>9}{us:>10.2f}{1e6 / us:>11,.0f}{share:>25.2%}")
    room.on = None
    other(channels[: 4 if quick else 32], quick)


def other(channels: list[Channel], quick: bool) -> None:
    """A point of the gain scan, and scalers."""
    points = channels[:2] if quick else channels[:8]
    _, us = measured(points, 25, waveforms, SCAN_POINT)
    print(
        f"\ngain scan, {SCAN_POINT} waveforms for a point: {us * SCAN_POINT * 1e-6:.3f} core s of a channel"
    )
    periods = 50 if quick else 200
    channels[0].set_discriminator(Trigger("fir", 1))
    channels[0].enable_scaler(1, 0, START)
    channels[0].scaler_count(SimTime(START + 1000))
    began = time.process_time()
    for channel in channels:
        channel.set_discriminator(Trigger("fir", 12 * 2 * 16))
        channel.enable_scaler(100_000, 24, START)
        for period in range(periods):
            channel.scaler_count(SimTime(START + (period + 1) * 100_000_000))
    us = (time.process_time() - began) / periods / len(channels) * 1e6
    print(f"scaler, a period of 0.1 s: {us:.0f} core us; 5000 periods of 32 channels: {us * 0.16:.0f} core s")


def made(room: Room, number: int) -> list[Channel]:
    """Both channels of a module at their nominal voltages."""
    truth = ModuleTruth.of(1, f"DEgg2021-3-{100 + number}")
    board = FaultBoard(f"degg.{5000 + number}", MODULE_FAULTS)
    channels = []
    for n, pmt in enumerate(truth.channels):
        channel = Channel(pmt, n, room, board, 1, truth.serial, PhotomultiplierFigures(), truth.clock())
        channel.hv.enable(True, SimTime(0))
        channel.hv.set(pmt.v0(CELSIUS), SimTime(0))
        channels.append(channel)
    return channels


def measured(
    channels: list[Channel], counts: int, fetch: Callable[[Channel], int], events: int
) -> tuple[int, float]:
    """Events in all, and microseconds of processor time for each."""
    total, spent = 0, 0.0
    for channel in channels:
        channel.arm(Trigger("threshold", round(channel.baseline_counts()) + counts), START)
        fetch(channel)
        taken, began = 0, time.process_time()
        while taken < events:
            got = fetch(channel)
            if not got:
                break
            taken += got
        spent += time.process_time() - began
        total += taken
    return total, spent / max(1, total) * 1e6


def stamps(channel: Channel) -> int:
    """A block of charge stamps."""
    return len(channel.charge_block(STAMPS, START).data) // 14


def waveforms(channel: Channel) -> int:
    """A block of waveforms; how many it holds."""
    size = bytes_of_record(128)
    data = channel.waveform_block(BLOCK, START).data
    return sum(1 for place in range(0, len(data) - size + 1, size) if data[place])


if __name__ == "__main__":
    main()
