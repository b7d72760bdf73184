"""An acquisition on a screen: a bar with rate and gaps while it runs, sentences when it is over."""

from __future__ import annotations

import sys
import time
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.dectris import engine
from pipeline.dectris.outcome import AcquisitionResult
from pipeline.dectris.tune import Choice

LINE_EVERY_S: Final = 10.0


class AcquisitionProgress:
    """A bar on a terminal, a line every ten seconds in a log; on stderr. A context manager."""

    def __init__(self, *, shown: bool) -> None:
        console = Console(stderr=True)
        self._lines = shown and not console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("[red]{task.fields[missing]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not (shown and console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("waiting", total=None, rate="", missing="", left="")
        self._next_line_s = time.monotonic() + LINE_EVERY_S

    def begin(self, what: str) -> None:
        """A new series, or waiting for one."""
        self._bar.reset(self._task, description=what, total=None, rate="", missing="", left="")

    def tell(self, now: engine.Progress) -> None:
        """So far it is."""
        missing = f"{now.missing_so_far:,} missing" if now.missing_so_far else ""
        rate = f"{now.images_per_s:,.0f}/s"
        self._bar.update(
            self._task,
            description="images",
            completed=now.frames,
            total=now.expected,
            rate=rate,
            missing=missing,
            left="left",
        )
        if self._lines and time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + LINE_EVERY_S
            said = ", ".join(
                part for part in (f"{now.frames:,} of {now.expected:,} images", rate, missing) if part
            )
            print(said, file=sys.stderr)  # noqa: T201 - a line of the log

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def outcome_lines(outcome: AcquisitionResult) -> list[str]:
    """What a person wants to read when a series is over."""
    measured = outcome.report.measured
    lines = list(outcome.sentences())
    if measured.images:
        busy = sum(measured.worker_busy) / max(1, len(measured.worker_busy))
        lines.append(
            f"{measured.images_per_s:,.0f} images/s of {measured.bytes_mean:,.0f} bytes; receiver "
            f"{measured.receiver_busy:.0%} busy, workers {busy:.0%}"
        )
    return lines


def choice_rows(choice: Choice) -> list[tuple[str, str, str]]:
    """Name, value and reason of each size."""
    values = {
        "num_slots": choice.num_slots,
        "bytes_per_frame": choice.bytes_per_frame,
        "frame_stack_size": choice.frame_stack_size,
        "workers": choice.workers,
    }
    return [(name, f"{value:,}", choice.reasons[name]) for name, value in values.items()]
