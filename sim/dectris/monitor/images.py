"""Images of the monitor: kept packed, and made into TIFF when a client asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from sim.dectris.images.frames import Channel, Ring
from sim.dectris.keys import Value
from sim.dectris.monitor.tiff import Field, double, long, short, text, tiff
from sim.dectris.sinks import ArmedSeries, ImageRun

_NS_PER_S: Final = 1_000_000_000
_ANGSTROM_EV: Final = 12398.4198


@dataclass(slots=True, eq=False)
class MonitorImage:
    """One exposure with all its channels."""

    series: int
    number: int
    ring: Ring
    """Of this image alone: a copy, so that what is buffered does not keep the images of whole series."""
    facts: tuple[Field, ...]
    config: Mapping[str, Value]
    fetched: int = 0
    """Channels that were taken as `next`."""

    @property
    def size(self) -> int:
        """Bytes of its pixels, all channels."""
        layout = self.ring.layout
        return layout.width * layout.height * layout.dtype.itemsize * len(layout.channels)

    def channel_of(self, threshold: int | None) -> int | None:
        """Place of a threshold's channel; the difference counts as the threshold after the last."""
        names = self.ring.layout.channels
        if threshold is None:
            return 0
        name = f"threshold_{threshold}"
        if name in names:
            return names.index(name)
        numbers = [int(known.removeprefix("threshold_")) for known in names if known != "difference"]
        is_difference = "difference" in names and threshold == max(numbers, default=0) + 1
        return names.index("difference") if is_difference else None

    def tiff(self, channel: int) -> bytes:
        """The image of one channel as a file."""
        name = self.ring.layout.channels[channel]
        return tiff(self.ring.image(channel, 0), [*self.facts, *self._threshold(name)])

    def _threshold(self, name: str) -> list[Field]:
        if name == "difference":
            ends = [self.config.get(f"threshold/difference/{end}_threshold") for end in ("lower", "upper")]
            ids = [end if isinstance(end, int) else place for place, end in enumerate(ends, start=1)]
        else:
            ids = [int(name.removeprefix("threshold_"))]
        energies = [_number(self.config, f"threshold/{number}/energy") for number in ids]
        return [short(0x0005, ids), double(0x0006, energies)]


def monitor_image(series: ArmedSeries, run: ImageRun, number: int) -> MonitorImage:
    """Image *number*, which the run has."""
    ring, config = series.ring, series.config
    begin = run.series_date_unix_ns + run.start_ns + (number - run.first) * run.period_ns
    energy = _number(config, "incident_energy") or _number(config, "photon_energy")
    centre = [_number(config, f"beam_center_{axis}") for axis in "xy"]
    facts = (
        long(0x0000, 0),
        text(0x0001, series.unique_id),
        long(0x0002, series.number),
        long(0x0003, number),
        text(0x0004, _rfc3339(begin)),
        double(0x0007, [run.exposure_ns / _NS_PER_S]),
        double(0x0009, [energy]),
        double(0x000A, [_ANGSTROM_EV / energy if energy else 0.0]),
        long(0x0012, 0),
        double(0x0016, centre),
        double(0x0017, [_number(config, "detector_distance")]),
    )
    alone = Ring(ring.layout, tuple(_alone(channel, number) for channel in ring.channels))
    return MonitorImage(series.number, number, alone, facts, config)


def _alone(channel: Channel, number: int) -> Channel:
    index = number % len(channel.offsets)
    blob = np.frombuffer(bytes(channel.blob(number)), np.uint8)
    return Channel(
        channel.name,
        blob,
        np.zeros(1, np.int64),
        np.array([len(blob)], np.int64),
        channel.md5[index : index + 1],
        channel.sums[index : index + 1],
    )


def _rfc3339(unix_ns: int) -> str:
    """UTC with nanoseconds."""
    at = datetime.fromtimestamp(unix_ns // _NS_PER_S, UTC).replace(tzinfo=None)
    return f"{at.isoformat()}.{unix_ns % _NS_PER_S:09d}Z"


def _number(config: Mapping[str, Value], key: str) -> float:
    value = config.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
