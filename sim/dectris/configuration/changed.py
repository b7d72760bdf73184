"""What the answer to a PUT lists.

Source: tickit-devices, Eiger tests (lists that a detector answers, in its order); SIMPLON API reference 1.8 for the
rule that every key is listed that was or may have been changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.dectris.models import Model

_TIMES: Final = (
    "bit_depth_image",
    "bit_depth_readout",
    "count_time",
    "countrate_correction_count_cutoff",
    "frame_count_time",
    "frame_time",
)
_TIMES_EIGER1: Final = (
    "bit_depth_image",
    "count_time",
    "countrate_correction_count_cutoff",
    "frame_count_time",
    "frame_period",
    "nframes_sum",
)
_ENERGIES: Final = (
    "element",
    "flatfield",
    "incident_energy",
    "photon_energy",
    "threshold/1/energy",
    "threshold/1/flatfield",
    "threshold/2/energy",
    "threshold/2/flatfield",
    "threshold_energy",
    "wavelength",
)
_THRESHOLD_1: Final = (
    "flatfield",
    "threshold/1/energy",
    "threshold/1/flatfield",
    "threshold/2/flatfield",
    "threshold_energy",
)
_WINDOW: Final = (
    "beam_center_x",
    "beam_center_y",
    "bit_depth_image",
    "bit_depth_readout",
    "frame_time",
    "x_pixels_in_detector",
    "y_pixels_in_detector",
)
_PLACE: Final = ("beam_center_x", "beam_center_y", "detector_distance", "detector_translation")

CHANGED: Final[Mapping[str, tuple[str, ...]]] = {
    "count_time": _TIMES,
    "frame_time": _TIMES,
    "auto_summation": ("auto_summation", "frame_count_time"),
    "photon_energy": _ENERGIES,
    "incident_energy": _ENERGIES,
    "wavelength": _ENERGIES,
    "element": _ENERGIES,
    "threshold_energy": _THRESHOLD_1,
    "threshold/1/energy": _THRESHOLD_1,
    "threshold/2/energy": (
        "flatfield",
        "threshold/1/flatfield",
        "threshold/2/energy",
        "threshold/2/flatfield",
    ),
    # The name is the vendor's inconsistency; fastcs-eiger expects it.
    "threshold/difference/mode": ("difference_mode",),
    "flatfield": ("flatfield", "threshold/1/flatfield"),
    "threshold/1/flatfield": ("flatfield", "threshold/1/flatfield"),
    "pixel_mask": ("pixel_mask", "threshold/1/pixel_mask"),
    "threshold/1/pixel_mask": ("pixel_mask", "threshold/1/pixel_mask"),
    "roi_mode": ("count_time", "frame_time", "roi_mode"),
    "roi_y_size": tuple(sorted(("roi_y_size", *_WINDOW))),
    "roi_bit_depth": ("bit_depth_image", "bit_depth_readout", "frame_time", "roi_bit_depth"),
    "binning_mode": tuple(sorted(("binning_mode", "x_pixel_size", "y_pixel_size", *_WINDOW))),
    "pixel_format": tuple(sorted(("pixel_format", *_WINDOW))),
    "detector_translation": _PLACE,
    "detector_orientation": (
        *_PLACE[:3], "detector_orientation", "detector_orientation_angle", "detector_orientation_axis",
    ),
    "detector_orientation_angle": (*_PLACE[:3], "detector_orientation", "detector_orientation_angle"),
    "detector_orientation_axis": (*_PLACE[:3], "detector_orientation", "detector_orientation_axis"),
}  # fmt: skip
"""By the key that is put; any other key answers itself alone."""


def changed_keys(model: Model, name: str) -> list[str]:
    """What the answer to a PUT of *name* lists. An EIGER1 answers the names of its generation."""
    if model.family == "EIGER1" and name in ("count_time", "frame_time"):
        return sorted({*_TIMES_EIGER1, name})
    if model.thresholds > 1 and name.startswith("threshold/") and name.endswith("/mode"):
        return list(CHANGED.get(name, (name, "threshold/difference/mode")))
    return list(CHANGED.get(name, (name,)))
