"""What a detector reads out with a configuration: which window, how deep, how fast. Pure functions.

Source: SIMPLON API reference 1.8 (roi_mode, binning_mode, pixel_format, auto_summation, roi_bit_depth); the figures
are the model's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sim.dectris.configuration.detector_keys import BINNED
from sim.dectris.keys import Value
from sim.dectris.models import Model

_COUNTER_MAX = {8: 254, 16: 65534, 32: 2**32 - 2}
"""Highest count of an image; the value above it marks masked pixels."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the detector that an image shows. In pixels of the detector; binning joins squares of them."""

    x: int
    y: int
    width: int
    height: int
    binning: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the image."""
        return self.width // self.binning, self.height // self.binning


def window_of(model: Model, values: Mapping[str, Value]) -> Window:
    """Where the images are read out."""
    mode = values["roi_mode"]
    if mode == "lines":
        height = whole(values["roi_y_size"])
        return Window(0, (model.height - height) // 2, model.width, height)
    for roi in model.rois:
        if mode == roi.mode:
            return Window(roi.x, roi.y, roi.width, roi.height)
    return Window(0, 0, model.width, model.height, 2 if values.get("binning_mode") == BINNED else 1)


def max_rate(model: Model, values: Mapping[str, Value], depth: int) -> float:
    """Highest image rate in Hz with counters of *depth* (8 or 16) bit."""
    mode = values["roi_mode"]
    rates = next((roi.rates for roi in model.rois if roi.mode == mode), model.rates)
    rate = rates.get(depth) or rates.get(16) or max(rates.values())
    if mode == "lines":
        rate *= min(model.height / whole(values["roi_y_size"]), model.lines_speedup)
    if values.get("binning_mode") == BINNED:
        rate *= 4
    for pixel_format in model.pixel_formats:
        if pixel_format.name == values["pixel_format"]:
            rate *= pixel_format.rate_factor
    return rate


def counter_depth(model: Model, values: Mapping[str, Value]) -> int:
    """bit_depth_readout: 8 or 16."""
    if model.fixed_bit_depth is not None:
        return 8 if model.fixed_bit_depth == 8 else 16
    for pixel_format in model.pixel_formats:
        if pixel_format.name == values["pixel_format"]:
            return pixel_format.bit_depth
    if values["roi_mode"] == "lines":
        return whole(values["roi_bit_depth"])
    fits = number(values["frame_time"]) >= (1 - 1e-9) / max_rate(model, values, 16)
    return 16 if fits or 8 not in model.rates else 8


def image_depth(model: Model, values: Mapping[str, Value]) -> int:
    """bit_depth_image: 8, 16 or 32; long exposures are summed to 32 bit."""
    if model.fixed_bit_depth is not None:
        return model.fixed_bit_depth
    summed = values["auto_summation"] is True and number(values["count_time"]) > model.summation_above_s
    return 32 if summed else counter_depth(model, values)


def min_frame_time(model: Model, values: Mapping[str, Value]) -> float:
    """Shortest frame_time in s. Where the depth follows the rate it is that of the fastest counter."""
    bound = model.fixed_bit_depth is not None or values["roi_mode"] == "lines" or model.pixel_formats
    depths = (counter_depth(model, values),) if bound else tuple(model.rates)
    fastest = 1 / max(max_rate(model, values, depth) for depth in depths)
    return max(fastest, model.count_time_limits_s[0] + model.readout_time_s)


def derived(model: Model, values: Mapping[str, Value]) -> dict[str, Value]:
    """The read-only keys that follow from the others."""
    window, depth = window_of(model, values), image_depth(model, values)
    count_s = number(values["count_time"])
    # The counter is read out and cleared before it is full, as often as needed.
    sums = math.ceil(count_s / model.summation_above_s) if depth == 32 and not model.fixed_bit_depth else 1
    width, height = window.size
    return {
        "x_pixels_in_detector": width,
        "y_pixels_in_detector": height,
        "x_pixel_size": model.pixel_size_m * window.binning,
        "y_pixel_size": model.pixel_size_m * window.binning,
        "bit_depth_image": depth,
        "bit_depth_readout": counter_depth(model, values),
        "frame_count_time": count_s / max(sums, 1),
        "frame_period": number(values["frame_time"]) / max(sums, 1),
        "nframes_sum": max(sums, 1),
        "countrate_correction_count_cutoff": min(round(model.saturation_hz * count_s), _COUNTER_MAX[depth]),
    }


def number(value: Value) -> float:
    """A value that is known to be numeric."""
    assert isinstance(value, int | float)
    return float(value)


def whole(value: Value) -> int:
    """A value that is known to be an integer."""
    assert isinstance(value, int)
    return value
