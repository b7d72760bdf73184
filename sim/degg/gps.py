"""The field hub's GPS receiver: one snapshot of time at the next full second after it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sim.degg.icm_registers import GPS_ASKED, GPS_LOCKED, GPS_READY
from sim.kernel import NS_PER_S, FaultBoard, SimTime

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Gps:
    """Time as the hub's ICM latches it.

    waits    whether the snapshot comes at the next full second; if not, at the last one, at once (a clock that does
             not follow the wall is held by the client that waits)
    no_lock  what the status says when the receiver sees no satellites
    """

    def __init__(
        self, unix_ns: Callable[[SimTime], int], faults: FaultBoard, *, waits: bool, no_lock: int
    ) -> None:
        self._unix_ns, self._faults, self._waits, self._no_lock = unix_ns, faults, waits, no_lock
        self._due: SimTime | None = None
        self._latched: SimTime | None = None

    def enable(self, now: SimTime) -> None:
        """Ask for a snapshot."""
        since_second = self._unix_ns(now) % NS_PER_S
        self._due = SimTime(now - since_second + (NS_PER_S if self._waits else 0))

    def control(self, now: SimTime) -> int:
        """Whether a snapshot was asked for, or is there."""
        self._settle(now)
        if self._due is not None:
            return GPS_ASKED
        return 0 if self._latched is None else GPS_READY

    def status(self) -> int:
        """Whether the receiver is locked."""
        return self._no_lock if self._faults.strike("lose_gps_lock") is not None else GPS_LOCKED

    def latched(self, now: SimTime) -> SimTime | None:
        """The moment of the last snapshot; None: there was none."""
        self._settle(now)
        return self._latched

    def text(self, now: SimTime) -> str:
        """UTC of the last snapshot, `2026-001T00:00:00`: year, day of the year, time; zeros without one."""
        at = self.latched(now)
        if at is None:
            return "0000-000T00:00:00"
        return f"{self._utc(at):%Y-%jT%H:%M:%S}"

    def words(self, now: SimTime) -> tuple[int, int, int]:
        """UTC of the last snapshot as decimal digits, in the order of `UTC_WORDS`."""
        at = self.latched(now)
        if at is None:
            return (0, 0, 0)
        digits = f"{self._utc(at):%S%M%H%j%y}"
        return (int(digits[:4], 16), int(digits[4:8], 16), int(digits[8:11] + "0", 16))

    def _settle(self, now: SimTime) -> None:
        if self._due is None or now < self._due or self._faults.is_on("lose_gps_lock"):
            return
        self._latched, self._due = self._due, None

    def _utc(self, at: SimTime) -> datetime:
        return _EPOCH + timedelta(seconds=round(self._unix_ns(at) / NS_PER_S))
