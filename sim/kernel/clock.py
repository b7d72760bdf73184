"""The simulation clock: one SimPy environment for each simulator process, stepped from asyncio.

Devices live as SimPy processes that call `advance` and sleep until the wake that it returns. Where time comes
from is another object: the bench's clock, wall time, or a test.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, Protocol

import simpy

from sim.kernel.time import SimTime

if TYPE_CHECKING:
    from sim.kernel.device import Device

MANUAL_EPOCH_UNIX_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z, the epoch of clocks that no bench file sets."""


class TimeSource(Protocol):
    """Where simulated time comes from."""

    async def open(self) -> SimTime:
        """Begin; return the time now."""
        ...

    async def wait(self, until: SimTime | None) -> SimTime:
        """Return the time once it is *until*, or earlier when interrupted. None: only then."""
        ...

    def interrupt(self) -> None:
        """Make the wait in progress, or the next one, return at once."""
        ...

    async def read(self) -> SimTime:
        """The time now."""
        ...

    async def close(self) -> None:
        """End. A wait in progress is abandoned by its canceller."""
        ...

    @property
    def follows_wall(self) -> bool:
        """Whether time passes by itself, so that work beside the devices takes simulated time."""
        ...


class WallTime:
    """Wall time since `open`, or since a moment, unscaled."""

    def __init__(self, since_unix_ns: int | None = None) -> None:
        self._since_unix_ns = since_unix_ns
        self._started = time.monotonic_ns()
        self._interrupted = asyncio.Event()

    async def open(self) -> SimTime:
        """Begin at zero, or at what has passed since the moment."""
        elapsed = 0 if self._since_unix_ns is None else max(0, time.time_ns() - self._since_unix_ns)
        self._started = time.monotonic_ns() - elapsed
        return SimTime(elapsed)

    async def wait(self, until: SimTime | None) -> SimTime:
        """Sleep until then or an interrupt."""
        left_s = None if until is None else (until - await self.read()) / 1e9
        try:
            if left_s is None or left_s > 0:
                await asyncio.wait_for(self._interrupted.wait(), left_s)
        except TimeoutError:
            pass
        self._interrupted.clear()
        return await self.read()

    def interrupt(self) -> None:
        """Wake the wait."""
        self._interrupted.set()

    async def read(self) -> SimTime:
        """Nanoseconds since `open`."""
        return SimTime(time.monotonic_ns() - self._started)

    async def close(self) -> None:
        """Nothing to close."""

    @property
    def follows_wall(self) -> bool:
        """It does."""
        return True


class Attached:
    """A device that lives on a clock."""

    def __init__(self, clock: SimClock, device: Device) -> None:
        self._clock, self._device = clock, device
        self._poked = clock.env.event()
        clock.env.process(self._live())

    def _live(self) -> Generator[Any, Any, None]:
        env = self._clock.env
        while True:
            self._poked = env.event()
            wake = self._device.advance(SimTime(int(env.now)))
            if wake is None:
                yield self._poked
            else:
                yield env.timeout(max(0, wake - env.now)) | self._poked

    def trigger(self) -> None:
        """Let the device advance at the environment's present time; called by the clock only."""
        if not self._poked.triggered:
            self._poked.succeed()

    async def poke(self) -> None:
        """Tell the clock that an input changed; returns when the device has advanced to now."""
        await self._clock.poke(self)


class SimClock:
    """Simulated time for the devices of one process."""

    def __init__(self, source: TimeSource, epoch_unix_ns: int) -> None:
        self._source = source
        self.epoch_unix_ns = epoch_unix_ns
        self.env = simpy.Environment(0)
        self._pokes: list[tuple[Attached | None, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def now(self) -> SimTime:
        """The time of the latest step, nanoseconds since the bench's epoch."""
        return SimTime(int(self.env.now))

    @property
    def follows_wall(self) -> bool:
        """Whether time passes by itself. If not, what a device computes takes no simulated time."""
        return self._source.follows_wall

    def unix_ns(self, at: SimTime | None = None) -> int:
        """Unix time of *at* (default: now), nanoseconds."""
        return self.epoch_unix_ns + (self.now if at is None else at)

    async def read(self) -> SimTime:
        """The time now, asked afresh."""
        return await self._source.read()

    def attach(self, device: Device) -> Attached:
        """Let a device live on this clock: it advances at once and at each wake that it asks for."""
        attached = Attached(self, device)
        self._source.interrupt()
        return attached

    async def poke(self, attached: Attached) -> None:
        """Advance a device now, out of turn. Returns when that is done; raises what the clock died of."""
        await self._step(attached)

    async def catch_up(self) -> SimTime:
        """Step to the present, so that `now` is the time for whoever cannot wait: watchers of fault switches."""
        if self._task is not None and not self._task.done():
            await self._step(None)
        return self.now

    async def _step(self, attached: Attached | None) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pokes.append((attached, done))
        self._source.interrupt()
        await done

    async def start(self) -> None:
        """Open the source and begin to step."""
        now = await self._source.open()
        self.env.run(until=now) if now > 0 else None
        self._task = asyncio.create_task(self._run(), name="simulation clock")

    async def stop(self) -> None:
        """Stop stepping and close the source. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._source.close()

    async def died(self) -> None:
        """Wait until stepping ends; raises what ended it. For the process host."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while True:
                if self._pokes:
                    now = await self._source.read()
                else:
                    upcoming = self.env.peek()
                    until = None if math.isinf(upcoming) else SimTime(int(upcoming))
                    now = await self._source.wait(until)
                self._settle(now)
        except Exception as error:
            for _, done in self._pokes:
                if not done.done():
                    done.set_exception(error)
            raise

    def _settle(self, now: SimTime) -> None:
        """Bring the environment to *now*, then serve the pokes at that time."""
        self._move(now)
        pokes, self._pokes = self._pokes, []
        for attached, _ in pokes:
            if attached is not None:
                attached.trigger()
        self._move(now)
        for _, done in pokes:
            if not done.done():
                done.set_result(None)

    def _move(self, now: SimTime) -> None:
        # `run(until=t)` leaves events at exactly t for later; a device whose wake is t must see t now.
        while self.env.peek() <= now:
            self.env.step()
        if self.env.now < now:
            self.env.run(until=now)


class ManualClock(SimClock):
    """A clock that a test moves, in process. It needs no start and no stop."""

    def __init__(self, epoch_unix_ns: int = MANUAL_EPOCH_UNIX_NS) -> None:
        super().__init__(WallTime(), epoch_unix_ns)

    async def read(self) -> SimTime:
        """The time that the test has set."""
        return self.now

    @property
    def follows_wall(self) -> bool:
        """It stands still between advances."""
        return False

    def attach(self, device: Device) -> Attached:
        """Let a device live here; it advances at once."""
        attached = Attached(self, device)
        self._move(self.now)
        return attached

    async def poke(self, attached: Attached) -> None:
        """Advance a device now."""
        attached.trigger()
        self._move(self.now)

    async def catch_up(self) -> SimTime:
        """It is always where the test has put it."""
        return self.now

    async def advance(self, by_ns: int) -> SimTime:
        """Move time, waking devices in order. Lets other tasks of the loop run between wakes."""
        target = SimTime(self.now + by_ns)
        while self.env.peek() <= target:
            self._move(SimTime(int(self.env.peek())))
            await asyncio.sleep(0)
        self._move(target)
        await asyncio.sleep(0)
        return target

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


def wall_clock(epoch_unix_ns: int | None = None, *, since_epoch: bool = False) -> SimClock:
    """A clock on wall time.

    Without an epoch, simulated time zero is this moment. since_epoch  time runs since the epoch, which lies in the past
    """
    since = epoch_unix_ns if since_epoch else None
    return SimClock(WallTime(since), time.time_ns() if epoch_unix_ns is None else epoch_unix_ns)


def manual_clock(epoch_unix_ns: int = MANUAL_EPOCH_UNIX_NS) -> ManualClock:
    """A clock that a test moves with `advance`."""
    return ManualClock(epoch_unix_ns)
