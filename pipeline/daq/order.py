"""The order of one module's trains: repeated and backward ids are flagged, a far jump waits for its confirmation.

A single wrong id far ahead would make all later trains look late. So the first train, and one that jumps far, is held
back: when the next train goes on from it, it was right; when the next one goes on from before, its id was wrong.
Several trains that ascend behind the others mean that the time server was set back, or that a jump ended that had been
taken for right: from then on their ids are the good ones.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from pipeline.model import ModuleTrain, TrainFlag

REMEMBERED_TRAINS: Final = 1024
TRUSTED_STRIDES: Final = 10
"""A jump of so many strides is flagged but not held back: were it wrong, it would cost only as many trains."""


FOLLOWED_AFTER: Final = 3
"""So many ascending trains in a row that go backward or repeat are followed, from the last of them on."""


@dataclass(slots=True)
class Ordered:
    """What to do after a train came."""

    onward: list[ModuleTrain] = field(default_factory=list)
    """Trains to go on with, in order; flagged trains among them."""
    wrong: ModuleTrain | None = None
    """A train that was held back and whose id turned out to be wrong; flagged TRAIN_ID_JUMP."""


class TrainOrder:
    """Compare each train id of one module with those before it.

    stride    distance of the train ids that this module is expected to send
    hold_ns   how long a train waits for its confirmation
    """

    def __init__(self, stride: int, hold_ns: int) -> None:
        self._stride, self._hold_ns = stride, hold_ns
        self._order: deque[int] = deque()
        self._seen: set[int] = set()
        self._highest: int | None = None
        self._held: ModuleTrain | None = None
        self._held_since_ns = 0
        self._behind: list[int] = []
        """Ids of the latest trains, as long as they ascend and lie behind the highest."""

    @property
    def holds(self) -> bool:
        """Whether a train waits for its confirmation."""
        return self._held is not None

    def feed(self, train: ModuleTrain, now_ns: int) -> Ordered:
        """Take the next train of the module, whose id is not trusted; adds flags to it."""
        result = Ordered()
        if train.train_id == 0:
            train.flags |= TrainFlag.TRAIN_ID_ZERO
            result.onward.append(train)
            return result
        if self._held is not None:
            held, self._held = self._held, None
            if train.train_id >= held.train_id:
                self._accept(held.train_id)
                result.onward.append(held)
            else:
                held.flags |= TrainFlag.TRAIN_ID_JUMP
                result.wrong = held
        if self._highest is None:
            return self._hold(train, now_ns, result)
        if train.train_id in self._seen or train.train_id < self._highest:
            self._flag_behind(train)
        else:
            self._behind = []
            ahead = train.train_id - self._highest
            # A train whose id was wrong stands for one that is missing here.
            if ahead > self._stride * (1 if result.wrong is None else 2):
                train.flags |= TrainFlag.TRAIN_ID_JUMP
            if ahead > TRUSTED_STRIDES * self._stride:
                return self._hold(train, now_ns, result)
            self._accept(train.train_id)
        result.onward.append(train)
        return result

    def _flag_behind(self, train: ModuleTrain) -> None:
        """Flag a train as repeated or backward, or follow it when it goes on from others that were."""
        before = self._behind[-1] if self._behind else 0
        goes_on = 0 < train.train_id - before <= TRUSTED_STRIDES * self._stride
        self._behind = [*self._behind, train.train_id] if goes_on else [train.train_id]
        if len(self._behind) >= FOLLOWED_AFTER:
            self.forget()
            self._accept(train.train_id)
            train.flags |= TrainFlag.TRAIN_ID_JUMP
        elif train.train_id in self._seen:
            train.flags |= TrainFlag.TRAIN_ID_REPEATED
        else:
            train.flags |= TrainFlag.TRAIN_ID_BACKWARD

    def _hold(self, train: ModuleTrain, now_ns: int, result: Ordered) -> Ordered:
        self._held, self._held_since_ns = train, now_ns
        return result

    def lost(self, train_id: int) -> None:
        """A train of this id came but could not be used: the next one follows on it."""
        if self._highest is not None and 0 < train_id - self._highest <= TRUSTED_STRIDES * self._stride:
            self._highest = train_id

    def expire(self, now_ns: int) -> ModuleTrain | None:
        """The held train when nothing came to contradict it for long enough."""
        if self._held is None or now_ns - self._held_since_ns < self._hold_ns:
            return None
        return self.flush()

    def flush(self) -> ModuleTrain | None:
        """The held train, accepted."""
        held, self._held = self._held, None
        if held is not None:
            self._accept(held.train_id)
        return held

    def forget(self) -> ModuleTrain | None:
        """Begin anew: the next train id is good whatever it is but zero. The held train, if there was one."""
        held, self._held = self._held, None
        self._order.clear()
        self._seen.clear()
        self._behind = []
        self._highest = None
        return held

    def _accept(self, train_id: int) -> None:
        self._highest = train_id
        self._order.append(train_id)
        self._seen.add(train_id)
        if len(self._order) > REMEMBERED_TRAINS:
            self._seen.discard(self._order.popleft())
