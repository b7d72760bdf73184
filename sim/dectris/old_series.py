"""One series: how many images, when each ends, and what it is called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from sim.dectris.keys import Registry
from sim.dectris.messages import ImageTimes
from sim.dectris.refusal import Refused
from sim.kernel import NS_PER_MS, NS_PER_S, SimTime

WEEK_NS: Final = 7 * 24 * 3600 * NS_PER_S
SOFTWARE: Final = frozenset({"ints", "inte"})
"""Trigger modes whose triggers come by REST."""
SINGLE: Final = frozenset({"inte", "exte"})
"""Trigger modes with one image for each trigger, exposed as long as the trigger says."""
GATED: Final = frozenset({"extg", "eies"})
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class Series:
    """An armed series and how far it got. Times in ns of simulated time."""

    number: int
    mode: str
    images_per_trigger: int
    triggers: int
    count_ns: int
    frame_ns: int
    delay_ns: int
    """From a trigger to the start of its first image; ints and exts only."""
    compression: str
    images_done: int = 0
    triggers_done: int = 0
    first_start: SimTime | None = None
    trigger_start: SimTime = field(default=SimTime(0))
    trigger_image: int = 0
    """Images done in the present trigger."""
    exposure_ns: int = 0
    """Of the present trigger's images."""
    announced: bool = False
    """Whether its start message was made."""
    cancelled: bool = False

    def begin_trigger(self, now: SimTime, exposure_ns: int | None) -> None:
        """A trigger came: its images follow one another from here."""
        self.trigger_start = SimTime(now + self.delay_ns)
        self.trigger_image = 0
        self.exposure_ns = self.count_ns if exposure_ns is None else exposure_ns
        if self.first_start is None:
            self.first_start = self.trigger_start

    @property
    def period_ns(self) -> int:
        """From one image's start to the next one's."""
        return self.exposure_ns + max(self.frame_ns - self.count_ns, 0)

    @property
    def next_end(self) -> SimTime:
        """When the present trigger's next image is done: start + (i + 1) × period."""
        return SimTime(self.trigger_start + (self.trigger_image + 1) * self.period_ns)

    @property
    def next_times(self) -> ImageTimes:
        """Times of the next image, relative to the first image's start."""
        assert self.first_start is not None
        start = self.trigger_start + self.trigger_image * self.period_ns - self.first_start
        return ImageTimes(start, start + self.exposure_ns, self.exposure_ns)

    def image_done(self) -> None:
        """Count an image; the last one of a trigger counts the trigger."""
        self.images_done += 1
        self.trigger_image += 1
        if self.trigger_image == self.images_per_trigger:
            self.triggers_done += 1

    @property
    def trigger_complete(self) -> bool:
        """Whether all images of the present trigger are done."""
        return self.trigger_image >= self.images_per_trigger

    @property
    def complete(self) -> bool:
        """Whether nothing more will come."""
        return self.cancelled or self.triggers_done >= self.triggers


def planned(number: int, config: Registry) -> Series:
    """The series that an arm with this configuration makes. Raises Refused (400)."""
    mode = config.text("trigger_mode")
    if mode in GATED:
        raise Refused(
            400,
            f"trigger_mode {mode} needs gates, which this control unit has no source of; use exts or exte",
        )
    if mode in SINGLE and config["nimages"] != 1:
        raise Refused(400, f"nimages must be 1 in trigger_mode {mode}, not {config['nimages']}; use ntrigger")
    series = Series(
        number=number,
        mode=mode,
        images_per_trigger=config.count("nimages"),
        triggers=config.count("ntrigger"),
        count_ns=round(config.number("count_time") * NS_PER_S),
        frame_ns=round(config.number("frame_time") * NS_PER_S),
        delay_ns=0 if mode in SINGLE else round(config.number("trigger_start_delay") * NS_PER_S),
        compression=config.text("compression"),
    )
    if series.images_per_trigger * series.triggers * series.frame_ns > WEEK_NS:
        raise Refused(
            400, "the series would last longer than one week; lower nimages, ntrigger or frame_time"
        )
    return series


def unique_id(seed: int, serial: str, number: int, unix_ns: int) -> str:
    """A ULID of 26 characters: the time in ms, then bits that seed, serial number and series determine."""
    digest = hashlib.sha256(f"{seed}/{serial}/{number}".encode()).digest()
    bits = (unix_ns // NS_PER_MS) << 80 | int.from_bytes(digest[:10], "big")
    return "".join(_CROCKFORD[bits >> shift & 31] for shift in range(125, -1, -5))
