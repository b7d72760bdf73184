"""Asking the remotes: one at random, another one when it fails, and never more at once than they can bear."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Final, TypeVar

import structlog
import zmq

from pipeline.constants.remotes.addresses import expand
from pipeline.constants.remotes.exchange import exchange
from pipeline.constants.remotes.messages import Answer, AnswerMalformed, read_answer, request_header
from pipeline.errors import CatalogueError, RemoteFailed, RemotesExhausted

log = structlog.get_logger("pipeline.constants.remotes")
T = TypeVar("T")
PASSING: Final = frozenset({"busy", "out_of_memory", "failed", "checksum"})
"""Refusals that another remote, or another moment, may not give."""
MOST_WRONG: Final = 3
"""After so many wrong answers it is the constant that is wrong, not the remote."""
MOST_FAILURES: Final = 100


class RemoteRefused(CatalogueError):
    """A remote refused what another one would refuse as well."""

    def __init__(self, remote: str, what: str, kind: str, message: str, details: Mapping[str, Any]) -> None:
        self.remote, self.kind, self.message, self.details = remote, kind, message, details
        super().__init__(f"{remote} refused to {what}: {message}")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how hard to try.

    The time-out must be longer than the slowest answer: who gives up earlier and asks again leaves work behind that
    nobody waits for, and that is how storms begin. So it doubles whenever it ran out.
    """

    answer_timeout_s: float = 60.0
    deadline_s: float = 300.0
    """For everything, as the facility's `cal-db-timeout`."""
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    avoid_s: float = 30.0
    """A remote that did not answer is asked last for so long: about the time in which a killed one comes back."""
    in_flight: int = 4
    """Requests that are under way at once, from all threads together."""


class Remotes:
    """The remotes of one calibration database. May be used by several threads at once.

    addresses  the endpoint `caldb.remotes`, or a range such as `tcp://host:8015#8044`
    Raises SettingRejected for what is no address.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        patience: Patience | None = None,
        *,
        random: Random | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.addresses = expand(addresses)
        self.patience = patience or Patience()
        self._random, self._monotonic_s, self._pause = random or Random(), monotonic_s, pause
        self._slots = threading.BoundedSemaphore(self.patience.in_flight)
        self._numbers = count(1)
        self._silent_until: dict[str, float] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.failures: deque[RemoteFailed] = deque(maxlen=MOST_FAILURES)
        """What went wrong and was tried again, oldest first."""

    def close(self) -> None:
        """Close what is open. Requests under way end with an error."""
        self._context.destroy(linger=0)

    def ask(
        self,
        what: str,
        operation: str,
        fields: Mapping[str, Any],
        accept: Callable[[Answer], T],
        *,
        data: memoryview | None = None,
        most_bytes: int = 0,
    ) -> T:
        """Send a request until a remote gives an answer that *accept* takes.

        what        for sentences: `find constant Offset`
        accept      reads the answer; raises AnswerMalformed where it is not what was asked for
        most_bytes  the longest data that can be expected
        Raises RemoteRefused, RemoteFailed (wrong answers again and again), RemotesExhausted.
        """
        give_up_at = self._monotonic_s() + self.patience.deadline_s
        timeout_s, pause_s = self.patience.answer_timeout_s, self.patience.first_pause_s
        tried: set[str] = set()
        wrong = attempts = 0
        while True:
            attempts += 1
            address = self._pick(tried)
            left_s = give_up_at - self._monotonic_s()
            try:
                number = next(self._numbers)
                frames: list[bytes | memoryview] = [request_header(number, operation, fields)]
                frames += [] if data is None else [data]
                received = self._send(address, frames, min(timeout_s, left_s), left_s, most_bytes)
                return _accepted(what, address, received, number, accept)
            except RemoteFailed as error:
                self.failures.append(error)
                log.warning(f"Could not {what}: {error.reason}", remote=error.remote)
                wrong += error.wrong
                if wrong >= MOST_WRONG:
                    raise
                if error.silent:
                    timeout_s *= 2
                    self._silent_until[address] = self._monotonic_s() + self.patience.avoid_s
                # Jitter: clients that failed together must not come back together.
                wait_s = pause_s * self._random.uniform(0.5, 1.5)
                if self._monotonic_s() + wait_s >= give_up_at:
                    raise RemotesExhausted(what, error.reason, error.remote, attempts) from None
            tried.add(address)
            self._pause(wait_s)
            pause_s = min(2 * pause_s, self.patience.longest_pause_s)

    def _pick(self, tried: set[str]) -> str:
        """Any remote; those that have just failed only when there is no other."""
        fresh = [address for address in self.addresses if address not in tried]
        if not fresh:
            tried.clear()
            fresh = list(self.addresses)
        now_s = self._monotonic_s()
        heard = [address for address in fresh if self._silent_until.get(address, now_s) <= now_s]
        return self._random.choice(heard or fresh)

    def _send(
        self,
        address: str,
        frames: Sequence[bytes | memoryview],
        timeout_s: float,
        left_s: float,
        most_bytes: int,
    ) -> list[memoryview]:
        if not self._slots.acquire(timeout=max(left_s, 0.0)):
            raise RemoteFailed(address, f"waited {left_s:g} s for other requests of this process")
        try:
            return exchange(self._context, address, frames, timeout_s, most_bytes)
        finally:
            self._slots.release()


def _accepted(
    what: str, address: str, received: Sequence[memoryview], number: int, accept: Callable[[Answer], T]
) -> T:
    try:
        answer = read_answer(received, number)
    except AnswerMalformed as error:
        raise RemoteFailed(address, str(error), wrong=True) from None
    remote = f"{answer.remote} ({address})"
    refused = answer.refused
    if refused is not None:
        if refused.kind in PASSING:
            raise RemoteFailed(remote, refused.message)
        raise RemoteRefused(remote, what, refused.kind, refused.message, refused.details)
    try:
        return accept(answer)
    except AnswerMalformed as error:
        raise RemoteFailed(remote, str(error), wrong=True) from None
