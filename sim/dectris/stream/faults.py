"""Faults of the streams: which images they strike, and what goes out instead.

Decided where images enter the backlog, in the loop's thread, which owns the fault board. Images that no fault strikes
stay in runs and keep their speed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from sim.dectris.sinks import ImageRun
from sim.dectris.stream.backlog import Item, Run, Sending, Single, head, rest
from sim.dectris.stream.spoiling import Spoiled
from sim.kernel import FaultBoard, FaultSpec

_FROM: Final = {"from_frame": 0}
"""An image fault strikes images from this number on."""

IMAGE_FAULTS: Final = (
    FaultSpec(
        "drop_frame", "An image is made but its message is not sent.", "missing of the series report", _FROM
    ),
    FaultSpec(
        "duplicate_frame", "An image's message is sent twice.", "duplicates of the series report", _FROM
    ),
    FaultSpec(
        "reorder_frames",
        "An image is sent after the one that follows it.",
        "reordered of the series report",
        _FROM,
    ),
    FaultSpec(
        "wrong_series",
        "An image carries another series number.",
        "wrong_series and missing of the series report",
        {"offset": 1, **_FROM},
    ),
    FaultSpec(
        "corrupt_blob",
        "16 bytes of an image's data are inverted: stream 1 in the middle, stream 2 at the first block's length.",
        "corrupt of the series report",
        _FROM,
    ),
    FaultSpec(
        "wrong_size",
        "The size that an image message tells is wrong: stream 1 bytes of the data, stream 2 the height.",
        "truncated (stream 1) or broken (stream 2) of the series report",
        {"bytes": 1, **_FROM},
    ),
    FaultSpec(
        "truncated_blob",
        "The last bytes of an image's data are missing; stream 1 tells the full size.",
        "truncated (stream 1) or corrupt (stream 2) of the series report",
        {"bytes": 16, **_FROM},
    ),
    FaultSpec(
        "wrong_hash",
        "The hash of an image is not that of its data; never strikes on stream 2, which has none.",
        "corrupt of the series report",
        _FROM,
    ),
    FaultSpec(
        "missing_part",
        "An image message lacks its last part (stream 1) or the data of its channels (stream 2).",
        "broken of the series report",
        _FROM,
    ),
    FaultSpec(
        "extra_part", "An image message has more parts than any has.", "broken of the series report", _FROM
    ),
    FaultSpec(
        "garbage",
        "Before an image comes a message of random bytes.",
        "broken of the series report",
        _FROM,
    ),
    FaultSpec(
        "silent_stream",
        "Nothing goes out for a time, then everything that became due meanwhile.",
        "silence_s of the series report",
        {"delay_s": 1.0, **_FROM},
    ),
)
MESSAGE_FAULTS: Final = (
    FaultSpec(
        "missing_header", "The start message is not sent.", "nothing starts; stale of the next series' report"
    ),
    FaultSpec(
        "stale_end",
        "The previous series' end message is sent before the start.",
        "stale of the series report",
    ),
    FaultSpec("missing_end", "The end message is not sent.", "ended of the series report is false"),
    FaultSpec(
        "late_end", "The end message comes late.", "end_delay_s of the series report", {"delay_s": 2.0}
    ),
)
STREAM_FAULTS: Final = (*IMAGE_FAULTS, *MESSAGE_FAULTS)


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
