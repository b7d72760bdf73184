"""The detector as a function of time: at each tick of an acquisition, all modules send one train."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sim.kernel.device import Problem
from sim.kernel.time import NS_PER_MS, SimTime
from sim.xtdf.config import AnyTable
from sim.xtdf.illumination import Illumination
from sim.xtdf.module import GainMode
from sim.xtdf.sender import ModuleSender

TRAIN_PERIOD_NS: Final = 100 * NS_PER_MS
"""10 Hz at the European XFEL."""
MAX_PROBLEMS: Final = 100


@dataclass(slots=True)
class Acquisition:
    """Trains that were asked for."""

    first_train_id: int
    trains: int
    sent: int = 0

    @property
    def last_train_id(self) -> int:
        """Train id of the last train."""
        return self.first_train_id + self.trains - 1


class NotWhileAcquiring(Exception):
    """A request that needs the detector to be PASSIVE."""


class Detector:
    """All modules of one detector."""

    def __init__(
        self,
        name: str,
        table: AnyTable,
        modules: Sequence[ModuleSender],
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name, self.table, self.modules = name, table, modules
        self.gain_mode: GainMode = "adaptive"
        self.illumination: Illumination = "dark"
        self.transmission = 1.0
        """Share of the light that an attenuator lets through to all modules."""
        self.trains_sent = 0
        self.problems: list[Problem] = []
        self._monotonic_ns = monotonic_ns
        self._now = SimTime(0)
        self._wanted = 0
        self._acquisition: Acquisition | None = None
        self._slow = 0

    def advance(self, now: SimTime) -> SimTime | None:
        """Send the train whose tick has come. Wakes at the next tick while acquiring."""
        self._now = now
        if self._wanted:
            first = now // TRAIN_PERIOD_NS + 1
            self._acquisition = Acquisition(self.table.first_train_id + first, self._wanted)
            self._wanted = 0
        if self._acquisition is None:
            return None
        tick = self._tick(self._acquisition)
        if now < tick:
            return tick
        self._send(self._acquisition, now)
        if self._acquisition.sent == self._acquisition.trains:
            self._end()
            return None
        return self._tick(self._acquisition)

    def attenuate(self, transmission: float) -> None:
        """Let this share of the light through. Raises NotWhileAcquiring."""
        self.must_be_passive()
        self.transmission = transmission
        for module in self.modules:
            module.model.transmission = transmission

    def order(self, trains: int) -> None:
        """Ask for an acquisition; it begins at the next `advance`. Raises NotWhileAcquiring."""
        self.must_be_passive()
        self._wanted, self._slow = trains, 0

    def prepare(self) -> None:
        """Make beforehand what every module sends; takes as long as the images of that many trains."""
        for module in self.modules:
            module.prepare(self.gain_mode, self.illumination)

    def stop(self) -> None:
        """End the acquisition after the train that is being sent."""
        self._wanted = 0
        if self._acquisition is not None:
            self._end()

    def close(self) -> None:
        """Close the links to the receivers. May be called twice."""
        for module in self.modules:
            if module.link is not None:
                module.link.close()

    def must_be_passive(self) -> None:
        """Raise NotWhileAcquiring unless PASSIVE."""
        if self.state != "PASSIVE":
            raise NotWhileAcquiring(f"{self.name} is ACQUIRING; stop it first, or wait for its last train")

    @property
    def state(self) -> str:
        """PASSIVE or ACQUIRING."""
        return "ACQUIRING" if self._acquisition is not None or self._wanted else "PASSIVE"

    @property
    def acquisition(self) -> Acquisition | None:
        """The acquisition in progress."""
        return self._acquisition

    def next_train_id(self, now: SimTime) -> int:
        """Train id of the next tick."""
        return self.table.first_train_id + now // TRAIN_PERIOD_NS + 1

    def links(self) -> dict[str, dict[str, int]]:
        """What each module's link has sent, by channel."""
        return {
            str(module.model.channel): {
                "datagrams": 0 if module.link is None else module.link.datagrams_sent,
                "bytes": 0 if module.link is None else module.link.bytes_sent,
                "refused": module.refused,
                "block_bytes": module.block_bytes,
            }
            for module in self.modules
        }

    def conditions(self) -> Mapping[str, Any]:
        """Operating conditions under which constants of this detector are valid, by parameter name."""
        return self.table.conditions

    def _tick(self, acquisition: Acquisition) -> SimTime:
        train = acquisition.first_train_id + acquisition.sent - self.table.first_train_id
        return SimTime(train * TRAIN_PERIOD_NS)

    def _send(self, acquisition: Acquisition, now: SimTime) -> None:
        began = self._monotonic_ns()
        train_id = acquisition.first_train_id + acquisition.sent
        for module in self.modules:
            module.send_train(train_id, self.gain_mode, self.illumination)
        acquisition.sent += 1
        self.trains_sent += 1
        took_ms = (self._monotonic_ns() - began) / NS_PER_MS
        if took_ms > TRAIN_PERIOD_NS / NS_PER_MS:
            self._slow += 1
            if self._slow == 1:
                self._note(
                    now,
                    f"train {train_id} took {took_ms:.0f} ms to send, longer than the 100 ms between trains: "
                    "paced by wall time, trains are late; use fewer modules or memory cells, or a faster receiver",
                )

    def _end(self) -> None:
        ended, self._acquisition = self._acquisition, None
        for module in self.modules:
            if ended is not None and ended.sent:
                last = ended.first_train_id + ended.sent - 1
                module.end(self.gain_mode, self.illumination, last)
            if module.refused:
                self._note(
                    self._now,
                    f"nobody listens for module {module.model.channel}: {module.refused} datagrams came back; "
                    "start its receiver before the acquisition",
                )
                module.refused = 0

    def _note(self, at: SimTime, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.name, at, text))
