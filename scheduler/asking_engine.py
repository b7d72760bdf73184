"""What a task process asks its engine for: the time, and what the tasks before it found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from scheduler.errors import ClockLost

Inquire = Callable[[dict[str, Any]], dict[str, Any]]
"""Sends a question and waits for its answer."""


class EngineClock:
    """Time by way of the engine: only the engine's process takes part in the bench's clock."""

    def __init__(self, inquire: Inquire, *, timed: bool = True) -> None:
        self._inquire, self._timed = inquire, timed
        self._asking = threading.Lock()

    def now_ns(self) -> int:
        """The time now."""
        return self._ask(None)

    def wait_until(self, t_ns: int) -> int:
        """Block until then. Raises RuntimeError in a task that takes no part in time."""
        if not self._timed:
            raise RuntimeError(
                "the plan says timed = false: this task takes no part in time, and cannot wait on it"
            )
        return self._ask(t_ns)

    def _ask(self, wait: int | None) -> int:
        with self._asking:
            answer = self._inquire({"wait": wait})
        if "lost" in answer:
            raise ClockLost(answer["lost"])
        return int(answer["now"])


class EarlierResults(Mapping[str, Mapping[str, Any]]):
    """Outputs of the tasks before, by task; asked for when they are first looked at."""

    def __init__(self, inquire: Inquire) -> None:
        self._inquire = inquire

    def __getitem__(self, task: str) -> Mapping[str, Any]:
        return self._all[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @cached_property
    def _all(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = self._inquire({"results": True})["results"]
        return found
