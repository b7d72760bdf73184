"""The bench's one clock: who takes part, what they wait for, and when time moves.

Simulated time is an integer of nanoseconds since the bench's epoch. A participant without an outstanding wait is
busy. The modes: *wall* follows real time, and participants may keep it themselves; *scaled* follows it `speed` times
faster and stalls while a participant is busy; *manual* moves when told; *skip* jumps to the next event as soon as
every participant waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from fat.bench.shown_time import ShownTime
from fat.errors import UsageError

Mode = Literal["wall", "scaled", "manual", "skip"]
NS_PER_S: Final = 1_000_000_000

Answer = Callable[[int], Awaitable[None]]
"""Tells a participant the time that ended its wait."""


@dataclass(slots=True)
class Wait:
    """What a participant waits for."""

    number: int
    until: int | None
    """Simulated nanoseconds; None = until it says otherwise."""
    answer: Answer


@dataclass(slots=True)
class Participant:
    """One who shares the clock."""

    name: str
    wait: Wait | None = None


@dataclass(order=True, slots=True)
class Appointment:
    """Something that the bench itself does at a simulated time, before anybody else sees that time."""

    at: int
    act: Callable[[], Awaitable[None]] = field(compare=False)


class BenchClock:
    """The clock. All methods belong to one asyncio loop."""

    def __init__(self, mode: Mode, *, start_ns: int = 0, speed: float = 1.0) -> None:
        self.mode, self.speed = mode, speed
        self._now = start_ns
        self._shown: ShownTime | None = None
        self._mark = time.monotonic_ns()
        self._participants: list[Participant] = []
        self._appointments: list[Appointment] = []
        self._goal = start_ns
        self._reached: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to move time."""
        if self.mode in ("skip", "manual"):
            self._shown = ShownTime()
            self._shown.show(self._now)
        self._mark = time.monotonic_ns()
        self._task = asyncio.create_task(self._run(), name="bench clock")

    async def stop(self) -> None:
        """Stop moving time. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._shown is not None:
            self._shown.close()
            self._shown = None

    @property
    def now(self) -> int:
        """Simulated nanoseconds."""
        self._follow_wall()
        return self._now

    @property
    def wall_zero_ns(self) -> int | None:
        """The machine's monotonic clock at simulated time zero, in wall mode; None in the others."""
        if self.mode != "wall":
            return None
        self._follow_wall()
        return self._mark - self._now

    @property
    def shown_at(self) -> str | None:
        """Where participants on this machine see the time in memory (`ShownTime`); None where it follows the wall."""
        return None if self._shown is None else self._shown.path

    def participants(self) -> dict[str, str | int | None]:
        """Who takes part: `busy`, or the moment waited for."""
        return {p.name: "busy" if p.wait is None else p.wait.until for p in self._participants}

    def join(self, name: str) -> Participant:
        """Take part, busy at first."""
        self._follow_wall()
        participant = Participant(name)
        self._participants.append(participant)
        return participant

    def leave(self, participant: Participant) -> None:
        """Take part no longer."""
        self._follow_wall()
        self._participants.remove(participant)
        self._changed.set()

    def wait(self, participant: Participant, wait: Wait) -> None:
        """Be idle until a moment. Raises UsageError when a wait is outstanding."""
        if participant.wait is not None:
            raise UsageError(f"{participant.name} already waits for {participant.wait.until}")
        self._follow_wall()
        participant.wait = wait
        self._changed.set()

    async def cancel(self, participant: Participant, number: int) -> None:
        """End a wait early; one that has ended already stays so."""
        self._follow_wall()
        wait = participant.wait
        if wait is not None and wait.number == number:
            participant.wait = None
            await wait.answer(self._now)

    def appoint(self, at: int, act: Callable[[], Awaitable[None]]) -> None:
        """Let the bench do something at a simulated time."""
        self._appointments.append(Appointment(at, act))
        self._appointments.sort()
        self._changed.set()

    async def advance(self, by_ns: int) -> int:
        """Manual mode: move time, wake in order all who wait for moments up to then, return when they wait again."""
        if self.mode != "manual":
            raise UsageError(f"the clock is in {self.mode} mode; only a manual clock can be advanced")
        if by_ns < 0:
            raise UsageError(f"time cannot go back: by_ns = {by_ns}")
        self._goal = max(self._goal, self._now) + by_ns
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reached.append(reached)
        self._changed.set()
        await reached
        return self._now

    def _busy(self) -> bool:
        return any(p.wait is None for p in self._participants)

    def _follow_wall(self) -> None:
        if self.mode not in ("wall", "scaled"):
            return
        mark = time.monotonic_ns()
        if self.mode == "wall":
            self._now += mark - self._mark
        elif not self._busy():
            self._now += int((mark - self._mark) * self.speed)
        self._mark = mark

    def _next(self) -> int | None:
        moments = [
            p.wait.until for p in self._participants if p.wait is not None and p.wait.until is not None
        ]
        moments += [
            appointment.at for appointment in self._appointments[:1] if moments or self.mode != "skip"
        ]
        return min(moments, default=None)

    async def _run(self) -> None:
        while True:
            timeout = await self._move()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout)
            self._changed.clear()

    async def _move(self) -> float | None:
        """Move time as far as the mode allows. Returns wall seconds until it must be called again, or None."""
        if self.mode in ("wall", "scaled"):
            return await self._move_with_wall()
        await self._serve_due()
        while not self._busy():
            moment = self._next()
            if self.mode == "manual" and (moment is None or moment > self._goal):
                self._move_to(self._goal)
                self._tell_reached()
                return None
            if moment is None:
                return None
            self._move_to(moment)
            await self._serve_due()
        return None

    def _move_to(self, moment: int) -> None:
        self._now = max(self._now, moment)
        if self._shown is not None:
            self._shown.show(self._now)

    async def _move_with_wall(self) -> float | None:
        self._follow_wall()
        await self._serve_due()
        moment = self._next()
        if moment is None or (self.mode == "scaled" and self._busy()):
            return None
        speed = self.speed if self.mode == "scaled" else 1.0
        return max(0.0, (moment - self._now) / NS_PER_S / speed)

    async def _serve_due(self) -> None:
        """Keep appointments that are due, then wake all whose moment has come."""
        while self._appointments and self._appointments[0].at <= self._now:
            await self._appointments.pop(0).act()
        for participant in list(self._participants):
            wait = participant.wait
            if wait is not None and wait.until is not None and wait.until <= self._now:
                participant.wait = None
                await wait.answer(self._now)

    def _tell_reached(self) -> None:
        for reached in self._reached:
            if not reached.done():
                reached.set_result(None)
        self._reached.clear()
