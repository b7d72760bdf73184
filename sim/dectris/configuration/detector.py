"""The configuration of the detector module: what it is, what a write changes, and what its images look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.dectris.configuration import arrays, couplings
from sim.dectris.configuration.changed import changed_keys
from sim.dectris.configuration.detector_keys import detector_config, threshold_names
from sim.dectris.configuration.layout import layout_of
from sim.dectris.configuration.placement import translation
from sim.dectris.configuration.readout import derived, min_frame_time
from sim.dectris.images import countrate
from sim.dectris.images.frames import ImageSource, Layout, Uploaded
from sim.dectris.keys import Registry, Value
from sim.dectris.models import Model, recorded
from sim.dectris.refusal import Refused, unknown


class DetectorConfiguration:
    """Keys, arrays and their couplings. *defaults* are values that this unit has after `initialize`.

    Where the source is a recording, its size, depth and compression are the only ones. Raises Refused when a default
    is none that the model can have; the reason names it.
    """

    def __init__(
        self, model: Model, source: ImageSource, defaults: Mapping[str, Value] | None = None
    ) -> None:
        self._fixed = source.fixed
        if self._fixed is not None:
            model = recorded(model, self._fixed.width, self._fixed.height, self._fixed.bit_depth)
        self.model = model
        self.registry = Registry(detector_config(model))
        self.arrays = arrays.ArrayStore(source)
        self.array_names = arrays.array_names(model.thresholds)
        self._defaults = dict(defaults or {})
        self.reset()

    def reset(self) -> None:
        """As after `initialize`: defaults everywhere, the factory's arrays."""
        self.registry.reset()
        self.arrays.clear()
        if self._fixed is not None:
            self.registry.allow("compression", (self._fixed.compression,))
            self.registry.update({"compression": self._fixed.compression})
        self.registry.update(derived(self.model, self.registry.values()))
        self.registry.update(translation(self.registry.values()))
        self._limit()
        for name, value in self._defaults.items():
            self.write(name, value)
        self._count_excluded()

    @property
    def values(self) -> Mapping[str, Value]:
        """Scalars and short lists by name, as they are now; a copy."""
        return dict(self.registry.values())

    def note(self, name: str, value: Value) -> None:
        """Set a key that only the unit itself writes, e.g. data_collection_date."""
        self.registry.update({name: value})

    def layout(self) -> Layout:
        """The layout of a series armed now. Raises Refused (400)."""
        return layout_of(self.registry, self.model)

    def write(self, name: str, value: object) -> list[str]:
        """Write one key with everything that follows; answers the changed keys. Raises Refused."""
        if name in self.array_names:
            raise Refused(400, f"{name} must be a __darray__ object")
        new = couplings.consequences(
            self.model, name, self.registry.check(name, value), self.registry.values()
        )
        self._check_consequences(name, new)
        before = self._shape
        self.registry.update(new)
        self._limit()
        if self._shape != before:
            self._count_excluded()
        return changed_keys(self.model, name)

    def write_array(self, name: str, array: NDArray[Any] | None) -> list[str]:
        """Put a flat field or a pixel mask, (height, width), or restore it (None). Raises Refused."""
        kind, threshold = self._array(name)
        if array is None:
            self.arrays.restore(kind, threshold)
        else:
            self.arrays.put(kind, threshold, array, self._shape)
        self._count_excluded()
        return changed_keys(self.model, name)

    def read_array(self, name: str) -> NDArray[Any]:
        """An array as it is now, (height, width) uint32 or float32; the countrate table (2, 1000). Raises Refused."""
        if name == arrays.TABLE:
            return countrate.table(self._every_channel())
        kind, threshold = self._array(name)
        layout = self._every_channel()
        if kind == "flatfield":
            return self.arrays.flatfield(layout, threshold)
        return self.arrays.pixel_mask(layout, threshold)

    def uploaded(self, layout: Layout) -> Uploaded | None:
        """What a series in this layout is to be made with in place of the factory's arrays."""
        return self.arrays.uploaded(layout)

    def pixel_masks(self, layout: Layout) -> tuple[NDArray[np.uint32], ...]:
        """(height, width) for each channel of the layout; of the difference, what either threshold masks."""
        return tuple(self._channel_mask(layout, channel) for channel in layout.channels)

    def flatfields(self, layout: Layout) -> tuple[NDArray[np.float32], ...]:
        """(height, width) for each channel of the layout; of the difference, that of the lower threshold."""
        return tuple(
            self.arrays.flatfield(layout, 1 if channel == "difference" else _number_of(channel))
            for channel in layout.channels
        )

    def _channel_mask(self, layout: Layout, channel: str) -> NDArray[np.uint32]:
        if channel != "difference":
            return self.arrays.pixel_mask(layout, _number_of(channel))
        return self.arrays.pixel_mask(layout, 1) | self.arrays.pixel_mask(layout, 2)

    def _array(self, name: str) -> tuple[str, int]:
        """Kind and threshold of a key that holds a writable array. Raises Refused."""
        if name == arrays.TABLE:
            raise Refused(403, f"{name} is read-only")
        if name not in self.array_names:
            raise unknown(name)
        parts = name.split("/")
        return parts[-1], int(parts[1]) if len(parts) == 3 else 1

    @property
    def _shape(self) -> tuple[int, int]:
        return self.registry.count("y_pixels_in_detector"), self.registry.count("x_pixels_in_detector")

    def _every_channel(self) -> Layout:
        """The present layout, but with a channel for every threshold, whether it is enabled or not."""
        names = threshold_names(self.model)
        return layout_of(self.registry, self.model, tuple(name.replace("/", "_") for name in names))

    def _check_consequences(self, name: str, new: Mapping[str, Value]) -> None:
        """A consequence may leave the limits of its own key, e.g. an energy whose threshold is too low."""
        for key, value in new.items():
            known = self.registry.key(key)
            # An energy that is no element's line clears `element`, which no write can.
            if known.access == "rw" and key != name and not (key == "element" and value == ""):
                self.registry.check(key, value)

    def _limit(self) -> None:
        values = self.registry.values()
        high = self.model.count_time_limits_s[1] + self.model.readout_time_s
        self.registry.limit("frame_time", min_frame_time(self.model, values), high)

    def _count_excluded(self) -> None:
        layout = self._every_channel()
        counts: dict[str, Value] = {
            f"{name}/number_of_excluded_pixels": int(np.count_nonzero(self.arrays.pixel_mask(layout, number)))
            for number, name in enumerate(threshold_names(self.model), 1)
        }
        counts["number_of_excluded_pixels"] = counts["threshold/1/number_of_excluded_pixels"]
        self.registry.update(counts)


def _number_of(channel: str) -> int:
    return int(channel.removeprefix("threshold_"))
