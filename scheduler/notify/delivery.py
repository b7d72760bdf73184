"""When which message is tried. Knows no threads; time comes from outside."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from scheduler.notify.notice import Later, Messenger, OutgoingMessage, Refused
from scheduler.notify.outbox import Outbox

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
RECEIVER_REST_S: Final = 60.0
LATE_S: Final = 60.0
"""A message that is older says when it happened."""
log = structlog.get_logger("scheduler.notify")


class Delivery:
    """Delivers what waits in an outbox: to each receiver in order, one at a time.

    Trouble with the server: growing pauses, or as long as it asks for. Trouble with one receiver: that one rests, the
    others are served.
    """

    def __init__(
        self,
        outbox: Outbox,
        messenger: Messenger,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._outbox, self._messenger = outbox, messenger
        self._monotonic_s, self._wall_s = monotonic_s, wall_s
        self._not_before_s = -math.inf
        self._asked_for_s = -math.inf
        self._resting: dict[str, float] = {}
        self._failures = 0
        self.trouble = ""
        """Why the latest message was not delivered, if it was not."""
        self.counters: Counter[str] = Counter()

    def step(self) -> float:
        """Try one message. Returns when to come back, seconds: 0 at once, infinite when nothing waits."""
        now_s = self._monotonic_s()
        if now_s < self._not_before_s:
            return self._not_before_s - now_s
        self._resting = {name: until for name, until in self._resting.items() if until > now_s}
        message = self._outbox.next(self._resting)
        if message is None:
            return min(self._resting.values(), default=math.inf) - now_s if len(self._outbox) else math.inf
        self._try(message)
        return 0.0

    def hurry(self) -> None:
        """The end is near: try again now, unless the server asked for patience."""
        self._not_before_s = self._asked_for_s
        self._resting.clear()

    def _try(self, message: OutgoingMessage) -> None:
        try:
            receipt = self._messenger.send(self._dated(message), self._outbox.root(message.receiver))
        except Refused as refusal:
            log.warning("a message was refused", by=self._messenger.name, reason=str(refusal))
            self._outbox.refuse(message, str(refusal))
            self.counters["refused"] += 1
        except Later as trouble:
            self._rest(message, trouble)
            return
        except Exception as error:  # noqa: BLE001 - a library that breaks must not end the thread: the message waits
            self._rest(message, Later(f"{type(error).__name__}: {error}"))
            return
        else:
            self._outbox.delivered(message, receipt)
            self.counters["delivered"] += 1
        self._failures, self.trouble = 0, ""

    def _rest(self, message: OutgoingMessage, trouble: Later) -> None:
        now_s = self._monotonic_s()
        if trouble.reason != self.trouble:
            log.warning("a message waits", messenger=self._messenger.name, reason=trouble.reason)
        self.trouble = trouble.reason
        self.counters["retries"] += 1
        if trouble.receiver_only:
            self._resting[message.receiver] = now_s + max(RECEIVER_REST_S, trouble.after_s)
            return
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(self._failures, 30), LONGEST_PAUSE_S)
        self._failures += 1
        self._asked_for_s = now_s + trouble.after_s
        self._not_before_s = now_s + max(pause_s, trouble.after_s)

    def _dated(self, message: OutgoingMessage) -> OutgoingMessage:
        if self._wall_s() - message.at < LATE_S:
            return message
        happened = datetime.fromtimestamp(message.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        text = f"{message.notice.text}\n(of {happened}; it could not be told earlier)"
        return replace(message, notice=replace(message.notice, text=text))
