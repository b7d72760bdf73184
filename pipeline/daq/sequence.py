"""The order of train ids of one module: zero, repeated, backward, jumped."""

from __future__ import annotations

from collections import deque
from typing import Final

from pipeline.model import TrainFlag

REMEMBERED_TRAINS: Final = 1024


class TrainSequence:
    """Compare each train id with those before it.

    stride   distance of the train ids that this module is expected to send
    """

    def __init__(self, stride: int = 1) -> None:
        self._stride = stride
        self._order: deque[int] = deque()
        self._seen: set[int] = set()
        self._highest: int | None = None

    def note(self, train_id: int) -> TrainFlag:
        """Flags of this train id; remembers it when it is good."""
        if train_id == 0:
            return TrainFlag.TRAIN_ID_ZERO
        if train_id in self._seen:
            return TrainFlag.TRAIN_ID_REPEATED
        if self._highest is not None and train_id < self._highest:
            return TrainFlag.TRAIN_ID_BACKWARD
        jumped = self._highest is not None and train_id - self._highest > self._stride
        self._highest = train_id
        self._order.append(train_id)
        self._seen.add(train_id)
        if len(self._order) > REMEMBERED_TRAINS:
            self._seen.discard(self._order.popleft())
        return TrainFlag.TRAIN_ID_JUMP if jumped else TrainFlag(0)

    def forget(self) -> None:
        """Begin anew: the next train id is good whatever it is, as long as it is not zero."""
        self._order.clear()
        self._seen.clear()
        self._highest = None
