"""What tasks at a laboratory cost: round trips, events, processor time of the task and of the simulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psutil

from fat.degg.station import acquisition, records
from fat.degg.station.console import Console
from fat.testing.task_lab import TaskLab

T = TypeVar("T")


class TaskCosts:
    """Shows a row for each task. Counts by standing in for the client's functions: for programs that measure alone."""

    def __init__(self, lab: TaskLab, show: Callable[[str], None]) -> None:
        self._lab, self._show, self._trips, self._waveforms, self._stamps = lab, show, 0, 0, 0
        self._simulator = psutil.Process(lab.control.status()["processes"]["lab"])
        self._stand_in()
        counts = f"{'trips':>8}{'waveforms':>11}{'stamps':>10}"
        self._show(f"{'task':40}{counts}{'task / s':>10}{'lab / s':>9}{'bench / s':>11}{'wall / s':>10}")

    def of(self, name: str, task: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Do a task, and print its row."""
        self._trips = self._waveforms = self._stamps = 0
        begun = self._now()
        result = task(self._lab.context(name.partition(",")[0]), *arguments, **options)
        mine, theirs, bench, wall = (after - before for before, after in zip(begun, self._now(), strict=True))
        counts = f"{self._trips:8}{self._waveforms:11}{self._stamps:10}"
        self._show(f"{name:40}{counts}{mine:10.2f}{theirs:9.2f}{bench:11.0f}{wall:10.1f}")
        return result

    def _now(self) -> tuple[float, float, float, float]:
        times = self._simulator.cpu_times()
        return (
            time.process_time(),
            times.user + times.system,
            self._lab.clock.now_ns() / 1e9,
            time.monotonic(),
        )

    def _stand_in(self) -> None:
        send = Console._send
        waveforms, stamps = records.read_waveforms, records.read_stamps

        def sent(console: Console, *rest: Any) -> None:
            self._trips += 1
            send(console, *rest)

        def counted_waveforms(*rest: Any) -> Mapping[int, Any]:
            found = waveforms(*rest)
            self._waveforms += sum(map(len, found.values()))
            return found

        def counted_stamps(*rest: Any) -> Mapping[int, Any]:
            found = stamps(*rest)
            self._stamps += sum(map(len, found.values()))
            return found

        Console._send = sent  # type: ignore[method-assign, assignment]
        for name, counted in (("read_waveforms", counted_waveforms), ("read_stamps", counted_stamps)):
            setattr(acquisition, name, counted)
