"""Faults of the streams: which images they strike, and what goes out instead.

Decided where images enter the backlog, in the loop's thread, which owns the fault board. Images that no fault strikes
stay in runs and keep their speed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from sim.dectris.fault_specs import IMAGE_FAULTS
from sim.dectris.sinks import ImageRun
from sim.dectris.stream.backlog import Item, Run, Sending, Single, head, rest
from sim.dectris.stream.spoiling import Spoiled
from sim.kernel import FaultBoard


class StreamFaults:
    """Turns what a healthy stream would send into what this one sends."""

    def __init__(self, board: FaultBoard) -> None:
        self._board = board
        self._swapped: Single | None = None

    def start(self, sending: Sending) -> Iterator[Item]:
        """The start message."""
        self._swapped = None
        messages = sending.messages
        if self._board.strike("stale_end"):
            stale = messages.series.number - 1
            yield Single(sending, lambda: messages.end(stale))
        if not self._board.strike("missing_header"):
            yield Single(sending, messages.start)

    def images(self, sending: Sending, run: ImageRun) -> Iterator[Item]:
        """A run of images: what no fault strikes stays in runs."""
        while run.count:
            struck = self._next_struck(run.first)
            honest = run.count if struck is None else min(struck - run.first, run.count)
            if honest:
                yield Run(sending, head(run, honest))
                run = rest(run, honest)
            if run.count:
                yield from self._struck(sending, head(run, 1))
                run = rest(run, 1)

    def end(self, sending: Sending) -> Iterator[Item]:
        """The end message."""
        yield from self._held_back()
        if self._board.strike("missing_end"):
            return
        late = self._board.strike("late_end")
        messages = sending.messages
        delay_s = 0.0 if late is None else late.parameters["delay_s"]
        yield Single(sending, lambda: messages.end(messages.series.number), delay_s=delay_s, ends=True)

    def forget(self) -> None:
        """An image that was held back is lost."""
        if self._swapped is not None:
            self._swapped.sending.tally.dropped += 1
            self._swapped = None

    def _next_struck(self, number: int) -> int | None:
        """The first image from *number* on that must be looked at alone; None: no fault is on."""
        if self._swapped is not None:
            return number
        active = self._board.active() if any(self._board.is_on(spec.name) for spec in IMAGE_FAULTS) else {}
        begins = [active[spec.name]["from_frame"] for spec in IMAGE_FAULTS if spec.name in active]
        return max(number, min(begins)) if begins else None

    def _struck(self, sending: Sending, image: ImageRun) -> Iterator[Item]:
        number = image.first
        delay_s = self._number("silent_stream", "delay_s", number)
        if self._strikes("garbage", number):
            noise = hashlib.sha256(str(number).encode()).digest()
            yield Single(sending, lambda: (noise,))
        if self._strikes("drop_frame", number):
            return
        spoiled = Spoiled(
            series_offset=int(self._number("wrong_series", "offset", number)),
            size_error=int(self._number("wrong_size", "bytes", number)),
            inverted=self._strikes("corrupt_blob", number),
            cut_bytes=int(self._number("truncated_blob", "bytes", number)),
            wrong_hash=sending.form == "legacy" and self._strikes("wrong_hash", number),
            missing_part=self._strikes("missing_part", number),
            extra_part=self._strikes("extra_part", number),
        )
        single = Single(
            sending, lambda: sending.messages.image(number, image, spoiled), images=1, delay_s=delay_s
        )
        if self._swapped is None and self._strikes("reorder_frames", number):
            self._swapped = single
            return
        yield single
        if self._strikes("duplicate_frame", number):
            yield Single(sending, single.make)
        yield from self._held_back()

    def _held_back(self) -> Iterator[Item]:
        if self._swapped is not None:
            yield self._swapped
            self._swapped = None

    def _strikes(self, fault: str, number: int) -> bool:
        return self._strike(fault, number) is not None

    def _number(self, fault: str, parameter: str, number: int) -> float:
        parameters = self._strike(fault, number)
        return 0 if parameters is None else float(parameters[parameter])

    def _strike(self, fault: str, number: int) -> dict[str, Any] | None:
        if not self._board.is_on(fault) or number < self._board.active()[fault]["from_frame"]:
            return None
        struck = self._board.strike(fault)
        return None if struck is None else struck.parameters
