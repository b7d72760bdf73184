"""From series to messages: the gate of the stream's mode, and the faults of the stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from sim.dectris import messages
from sim.dectris.frames import FrameSource
from sim.dectris.keys import Registry
from sim.dectris.messages import EncodedFrame, HeaderArrays, ImageTimes, Parts
from sim.dectris.outbox import Outbox
from sim.kernel import NS_PER_S, FaultBoard

STREAM_FAULTS: Final = (
    "drop_frame",
    "duplicate_frame",
    "reorder_frames",
    "wrong_series",
    "missing_end",
    "late_end",
    "corrupt_blob",
    "wrong_size",
)


class Delivery:
    """Makes the messages of a series and hands them to the outbox.

    While the stream is disabled, the messages of the armed series are held, at most as many as the outbox holds,
    and go out when it is enabled: LiberTEM-live enables the stream only after arm and its trigger.
    """

    def __init__(self, outbox: Outbox, source: FrameSource, config: Registry, faults: FaultBoard) -> None:
        self.outbox = outbox
        self._source, self._config, self._faults = source, config, faults
        self._held: deque[Callable[[], None]] = deque()
        self._swapped: Parts | None = None
        self.arrays = _header_arrays(source)

    @property
    def enabled(self) -> bool:
        """Whether the stream's mode lets messages out."""
        return self._config["mode"] == "enabled"

    def release(self) -> None:
        """Send what was held, if the mode allows; called after each change of the stream's configuration."""
        while self.enabled and self._held:
            self._held.popleft()()

    def begin(self, series: int, config: dict[str, Any]) -> None:
        """A series was armed: its start message."""
        self._held.clear()
        self._swapped = None
        self.outbox.dropped = 0
        self._pass_on(lambda: self.outbox.put_control(self._header(series, config)))

    def image(self, series: int, number: int, compression: str, times: ImageTimes) -> None:
        """An image is ready: no message, one or two, as the faults say."""
        if self._faults.strike("drop_frame"):
            return
        parts = self._image(series, number, self._source.frame(series, number, compression), times)
        if self._swapped is None and self._faults.strike("reorder_frames"):
            self._swapped = parts
            return
        copies = 2 if self._faults.strike("duplicate_frame") else 1
        for _ in range(copies):
            self._pass_on(lambda: self.outbox.put_image(parts))
        self._flush_swapped()

    def end_delay_ns(self) -> int | None:
        """How long after the last image the end message goes out; None: never."""
        if self._faults.strike("missing_end"):
            return None
        late = self._faults.strike("late_end")
        return 0 if late is None else round(late.parameters["delay_s"] * NS_PER_S)

    def end(self, series: int) -> None:
        """The end message."""
        self._flush_swapped()
        self._pass_on(lambda: self.outbox.put_control(messages.end(series)))

    def discard_images(self) -> None:
        """Abort: images that were not sent yet are gone."""
        self._swapped = None
        self.outbox.discard_images()

    def _flush_swapped(self) -> None:
        if self._swapped is not None:
            parts, self._swapped = self._swapped, None
            self._pass_on(lambda: self.outbox.put_image(parts))

    def _pass_on(self, send: Callable[[], None]) -> None:
        if self.enabled:
            send()
        elif len(self._held) < self.outbox.limit:
            self._held.append(send)
        else:
            self.outbox.dropped += 1

    def _header(self, series: int, config: dict[str, Any]) -> Parts:
        detail = self._config.text("header_detail")
        assert detail in ("none", "basic", "all")
        return messages.header(
            series,
            detail,  # type: ignore[arg-type]  # narrowed by the assertion, which mypy does not follow
            config,
            self.arrays,
            self._config.text("header_appendix"),
        )

    def _image(self, series: int, number: int, frame: EncodedFrame, times: ImageTimes) -> Parts:
        wrong = self._faults.strike("wrong_series")
        if wrong is not None:
            series += wrong.parameters["offset"]
        if self._faults.strike("corrupt_blob"):
            frame = _corrupted(frame)
        size = self._faults.strike("wrong_size")
        return messages.image(
            series,
            number,
            frame,
            times,
            size_error=0 if size is None else size.parameters["bytes"],
            appendix=self._config.text("image_appendix"),
        )


def _corrupted(frame: EncodedFrame) -> EncodedFrame:
    """The frame with 16 bytes in its middle inverted; its hash stays that of the good one."""
    blob = bytearray(frame.blob)
    middle = len(blob) // 2
    blob[middle : middle + 16] = bytes(byte ^ 0xFF for byte in blob[middle : middle + 16])
    return replace(frame, blob=bytes(blob))


def _header_arrays(source: FrameSource) -> HeaderArrays:
    """A flat flatfield, the gaps as mask, and a countrate table of no correction."""
    counts = np.linspace(0, 65535, 1000, dtype=np.float32)
    return HeaderArrays(
        flatfield=np.ones(source.shape, np.float32),
        pixel_mask=source.gaps.astype(np.uint32),
        countrate_table=np.stack([counts, counts]),
    )
