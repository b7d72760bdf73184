"""The door between asyncio and the unit: requests go in at the present simulated time, answers come out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from sim.dectris.api.ports import Answer, Resolve
from sim.dectris.refusal import Refused
from sim.dectris.unit.control import ControlUnit
from sim.kernel.clock import Attached, SimClock

T = TypeVar("T")


class Door:
    """Brings the unit onto its clock, and lets servers and threads reach it."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._unit: ControlUnit | None = None
        self._attached: Attached | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Future[Answer]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._poking = False

    def open(self, unit: ControlUnit) -> None:
        """From now on simulated time passes for the unit."""
        self._unit, self._loop = unit, asyncio.get_running_loop()
        self._attached = self._clock.attach(unit)

    async def close(self) -> None:
        """Answer whoever still waits. May be called twice, and before open."""
        self._loop = None
        for future in list(self._waiting):
            _settle(future, Refused(503, "the control unit is being switched off"))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, request: Callable[[Resolve], None]) -> Answer:
        """Put a request to the unit now, and wait for its answer."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await self._inside(lambda: request(lambda answer: _settle(future, answer)))
            return await future
        finally:
            self._waiting.discard(future)

    async def do(self, action: Callable[[int], T]) -> T:
        """Do something at the present simulated time, in ns; returns or raises what the action does."""
        done: list[T] = []
        failed: list[Exception] = []

        def act() -> None:
            try:
                done.append(action(self._clock.now))
            except Exception as error:  # noqa: BLE001  # it belongs to whoever asked, not to the unit
                failed.append(error)

        await self._inside(act)
        if failed:
            raise failed[0]
        return done[0]

    async def _inside(self, action: Callable[[], None]) -> None:
        assert self._unit is not None, "asked before open"
        assert self._attached is not None
        self._unit.submit(action)
        await self._attached.poke()

    def in_loop(self, action: Callable[[], None]) -> None:
        """Do something in the loop's thread, without the unit. Any thread may call."""
        loop = self._loop
        if loop is not None:
            # A loop that has ended has no unit any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(action)

    def soon(self, action: Callable[[], None] | None = None) -> None:
        """Let the unit advance, with something to do or because there is room again. Any thread may call."""
        self.in_loop(lambda: self._poke(action))

    def _poke(self, action: Callable[[], None] | None) -> None:
        unit, attached = self._unit, self._attached
        if unit is None or attached is None or self._loop is None:
            return
        if action is not None:
            unit.submit(action)
        elif self._poking or not unit.waits_for_room:
            return
        self._poking = True
        task = asyncio.ensure_future(attached.poke())
        self._tasks.add(task)
        task.add_done_callback(self._poked)

    def _poked(self, task: asyncio.Task[None]) -> None:
        self._poking = False
        self._tasks.discard(task)
        if not task.cancelled():
            # What the clock died of is the host's to report.
            task.exception()


def _settle(future: asyncio.Future[Answer], answer: Answer) -> None:
    # The client may have gone away, and its request with it.
    if not future.done():
        future.set_result(answer)
