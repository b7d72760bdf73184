"""Who decides what the detector does: an active controller sets it, arms it and triggers it; a passive one listens.

The words are LiberTEM-live's (get_active_controller and its arguments).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.dectris.client import DcuClient
from pipeline.errors import SettingRejected

SOFTWARE: Final = ("ints", "inte")
EXTERNAL: Final = ("exts", "exte", "extg", "eies")
SINGLE: Final = ("inte", "exte")
"""Modes with one image for each trigger: nimages must be 1 (SIMPLON API release 2020.2.2)."""
FORMATS: Final = ("legacy", "cbor")
TRIGGER_S: Final = 7 * 24 * 3600.0
"""Longest time that a trigger may block, as the hardware has it. A series that stands still ends by its silence."""


def enable_stream(client: DcuClient, stream_format: str | None) -> None:
    """Let the unit send images, and a start message that tells sizes; what is so already is left alone.

    This is all that passive mode changes. *stream_format* None leaves the format.
    """
    if stream_format is not None and client.get("format", module="stream") != stream_format:
        client.set("format", stream_format, module="stream")
    if client.get("mode", module="stream") != "enabled":
        client.set("mode", "enabled", module="stream")
    if client.get("header_detail", module="stream") == "none":
        client.set("header_detail", "basic", module="stream")


@dataclass(frozen=True, slots=True)
class ActiveController:
    """What is set before arming; None leaves what the detector has. Raises SettingRejected."""

    client: DcuClient
    trigger_mode: str = "exte"
    count_time: float | None = None
    """Exposure, s."""
    frame_time: float | None = None
    """From one image's start to the next, s."""
    images_per_trigger: int | None = None
    """ints: all of them by default; exts: 1 by default; the number of images must be a multiple."""
    roi_mode: str | None = None
    roi_y_size: int | None = None
    roi_bit_depth: int | None = None
    compression: str | None = None
    enable_corrections: bool | None = None
    """The unit's own mask, flat-field and count-rate correction, all three."""
    mask_to_zero: bool | None = None
    enable_file_writing: bool | None = None
    name_pattern: str | None = None
    nimages_per_file: int | None = None

    def __post_init__(self) -> None:
        if self.trigger_mode not in SOFTWARE + EXTERNAL:
            raise SettingRejected("trigger_mode", self.trigger_mode, ", ".join(SOFTWARE + EXTERNAL))
        for name in ("count_time", "frame_time"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 3600:
                raise SettingRejected(name, value, "above 0, and 3600 s at the most")
        if (
            self.images_per_trigger is not None
            and self.trigger_mode in SINGLE
            and self.images_per_trigger != 1
        ):
            raise SettingRejected(
                "images_per_trigger", self.images_per_trigger, f"1 in mode {self.trigger_mode}"
            )

    @property
    def software(self) -> bool:
        """Whether triggers are sent over REST."""
        return self.trigger_mode in SOFTWARE

    def counts(self, frames: int) -> tuple[int, int]:
        """nimages and ntrigger for so many images. Raises SettingRejected."""
        if self.trigger_mode in SINGLE:
            return 1, frames
        if self.trigger_mode in ("extg", "eies"):
            return frames, 1
        each = self.images_per_trigger or (frames if self.trigger_mode == "ints" else 1)
        if frames % each:
            raise SettingRejected("images_per_trigger", each, f"a divisor of the {frames} images")
        return each, frames // each

    def configure(self, frames: int) -> None:
        """Set the detector for a series of so many images. Raises the client's errors."""
        client = self.client
        # Before all else: file writer's and stream's modes are taken over when the series is armed.
        self._file_writing()
        # One by one, and 1 first: a mode with one image a trigger refuses to be set while nimages is larger.
        client.set("ntrigger", 1)
        client.set("nimages", 1)
        client.set("trigger_mode", self.trigger_mode)
        nimages, ntrigger = self.counts(frames)
        if nimages != 1:
            client.set("nimages", nimages)
        if ntrigger != 1:
            client.set("ntrigger", ntrigger)
        # The region first: it sets both times back. Then count time before frame time: the second write of the same
        # value makes room for the readout.
        for key in (
            "roi_mode",
            "roi_y_size",
            "roi_bit_depth",
            "count_time",
            "frame_time",
            "compression",
            "mask_to_zero",
        ):
            value = getattr(self, key)
            if value is not None:
                client.set(key, value)
        if self.enable_corrections is not None:
            for key in (
                "pixel_mask_applied",
                "flatfield_correction_applied",
                "countrate_correction_applied",
            ):
                client.set(key, self.enable_corrections)

    def _file_writing(self) -> None:
        wanted: dict[str, object] = {
            "mode": None if self.enable_file_writing is None else _switch(self.enable_file_writing),
            "name_pattern": self.name_pattern,
            "nimages_per_file": self.nimages_per_file,
        }
        for key, value in wanted.items():
            if value is not None:
                self.client.set(key, value, module="filewriter")

    def trigger_all(self, client: DcuClient, ntrigger: int, stopped: Callable[[], bool]) -> None:
        """Send all software triggers of an armed series over *client*, or until *stopped*. Raises its errors."""
        for _ in range(ntrigger):
            if stopped():
                return
            client.trigger(timeout_s=TRIGGER_S)


def _switch(on: bool) -> str:
    return "enabled" if on else "disabled"
