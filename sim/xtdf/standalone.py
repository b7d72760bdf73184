"""Modules that send trains without a bench, paced by wall time."""

from __future__ import annotations

import asyncio
from typing import TypedDict

from sim.kernel.clock import wall_clock
from sim.kernel.faults import FaultBoard
from sim.kernel.time import SimTime
from sim.xtdf.build import make_detector, warm
from sim.xtdf.config import AnyTable
from sim.xtdf.device import Detector
from sim.xtdf.fault_specs import FAULTS
from sim.xtdf.illumination import Illumination
from sim.xtdf.link import parse_address
from sim.xtdf.module import GainMode


class Sent(TypedDict):
    """What was sent."""

    first_train_id: int
    last_train_id: int
    trains: int
    problems: list[str]


class _Announced:
    """The detector, and an event for the end of its acquisition."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self.ended = detector, asyncio.Event()

    def advance(self, now: SimTime) -> SimTime | None:
        """Advance the detector."""
        wake = self._detector.advance(now)
        if self._detector.trains_sent and self._detector.state == "PASSIVE":
            self.ended.set()
        return wake


def send_trains(
    table: AnyTable,
    to: str,
    *,
    trains: int,
    illumination: Illumination,
    gain_mode: GainMode,
    seed: int,
    epoch_unix_ns: int | None = None,
) -> Sent:
    """Send *trains* trains at 10 Hz; module n to the port of *to* plus n. Raises SimError.

    epoch_unix_ns  Unix time of the first train id; by default now
    """
    host, port = parse_address(to)
    receivers = {f"daq.{channel}": f"udp://{host}:{port + channel}" for channel in table.channels}
    detector = make_detector(table.type.lower(), table, seed, receivers, FaultBoard("detector", FAULTS))
    detector.illumination, detector.gain_mode = illumination, gain_mode
    try:
        warm(detector)
        detector.prepare()
        return asyncio.run(_send(detector, trains, epoch_unix_ns))
    finally:
        detector.close()


async def _send(detector: Detector, trains: int, epoch_unix_ns: int | None) -> Sent:
    clock, announced = wall_clock(epoch_unix_ns, since_epoch=epoch_unix_ns is not None), _Announced(detector)
    await clock.start()
    try:
        attached = clock.attach(announced)
        detector.order(trains)
        await attached.poke()
        acquisition = detector.acquisition
        assert acquisition is not None, "an acquisition begins with the poke after its order"
        ended = asyncio.ensure_future(announced.ended.wait())
        await asyncio.wait([ended, asyncio.ensure_future(clock.died())], return_when=asyncio.FIRST_COMPLETED)
        return {
            "first_train_id": acquisition.first_train_id,
            "last_train_id": acquisition.last_train_id,
            "trains": acquisition.sent,
            "problems": [problem.text for problem in detector.problems],
        }
    finally:
        await clock.stop()
