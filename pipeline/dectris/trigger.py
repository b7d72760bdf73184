"""Triggers in a thread of their own: in `ints` one answers when its images are done, and somebody must take them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

JOIN_S: Final = 5.0
"""How long a trigger that the unit keeps waiting is waited for, once its series is over."""


class TriggerThread:
    """Runs *action* at once; when it fails, *stop* ends the receiving.

    *close* is called when the series is over; it also ends a request that nobody answers.
    """

    def __init__(
        self, action: Callable[[], None], stop: threading.Event, close: Callable[[], None] | None = None
    ) -> None:
        self._action, self._stop, self._close = action, stop, close
        self.error: BaseException | None = None
        """What the action raised."""
        self.failed_first = False
        """Whether it failed before anybody asked to stop."""
        self._thread = threading.Thread(target=self._work, name="dectris trigger", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._action()
        # A thread's border: whatever it was goes to whoever joins.
        except BaseException as error:  # noqa: BLE001
            self.failed_first = not self._stop.is_set()
            self.error = error
            self._stop.set()

    def join(self) -> None:
        """Wait until the action is over, but not for ever."""
        self._thread.join(JOIN_S)
        if self._close is not None:
            self._close()
