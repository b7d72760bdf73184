"""The sources as a function of time: at each tick one message, unless a fault wants it otherwise."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from sim.control_sources.config import ControlSourcesTable
from sim.control_sources.content import Sources, content
from sim.control_sources.messages import message
from sim.kernel.faults import FaultBoard
from sim.kernel.time import NS_PER_MS, SimTime

TRAIN_PERIOD_NS: Final = 100 * NS_PER_MS


class ControlSourcesDevice:
    """Makes messages and hands them to *send*.

    unix_ns  Unix time of a simulated time
    """

    def __init__(
        self,
        table: ControlSourcesTable,
        seed: int,
        board: FaultBoard,
        unix_ns: Callable[[SimTime], int],
        send: Callable[[list[bytes]], None],
    ) -> None:
        self._table, self._seed, self._board = table, seed, board
        self._unix_ns, self._send = unix_ns, send
        self._next: SimTime | None = None
        self._left = 0
        self._late: deque[tuple[int, list[bytes]]] = deque()
        self.trains_sent = 0

    def order(self, trains: int) -> None:
        """Ask for messages of so many trains; the first at the next tick after the next `advance`."""
        self._left += trains

    def advance(self, now: SimTime) -> SimTime | None:
        """Send the message whose tick has come; wakes at the next tick while there is something to send."""
        if self._table.pace == "asked" and not self._left:
            self._next = None
            return None
        if self._next is None:
            self._next = SimTime((now // TRAIN_PERIOD_NS + 1) * TRAIN_PERIOD_NS)
        if now < self._next:
            return self._next
        self._tick(self._next)
        self._left = max(0, self._left - 1)
        # A slow machine skips ticks rather than fall behind.
        self._next = SimTime(max(self._next + TRAIN_PERIOD_NS, now // TRAIN_PERIOD_NS * TRAIN_PERIOD_NS))
        if self._table.pace == "asked" and not self._left:
            self._next = None
        return self._next

    def _tick(self, tick: SimTime) -> None:
        train_id = self._table.first_train_id + tick // TRAIN_PERIOD_NS
        parts = message(
            self._spoiled(content(self._table, self._seed, train_id)), train_id, self._unix_ns(tick)
        )
        if self._board.strike("truncated_message"):
            parts = parts[:-1]
        late = self._board.strike("late_message")
        if late is not None:
            self._late.append((train_id + late.parameters["trains"], parts))
        elif not self._board.strike("train_gap"):
            for _ in range(2 if self._board.strike("repeated_train") else 1):
                self._send(parts)
        while self._late and self._late[0][0] <= train_id:
            self._send(self._late.popleft()[1])
        self.trains_sent += 1

    def _spoiled(self, sources: Sources) -> Sources:
        if self._board.strike("silent_source"):
            sources.pop(self._table.xgm, None)
        camera = f"{self._table.camera}:daqOutput"
        if camera in sources and self._board.strike("wrong_dtype"):
            sources[camera] = {key: value.astype(np.float32) for key, value in sources[camera].items()}
        return sources
