"""From a configuration to what the images of a series look like."""

from __future__ import annotations

from sim.dectris.configuration.detector_keys import threshold_names
from sim.dectris.images.frames import Layout
from sim.dectris.keys import Registry
from sim.dectris.models import Model
from sim.dectris.refusal import Refused


def layout_of(registry: Registry, model: Model) -> Layout:
    """The layout of a series that is armed with this configuration. Raises Refused (400) when no channel is on."""
    channels = [
        name.replace("/", "_") for name in threshold_names(model) if registry[f"{name}/mode"] == "enabled"
    ]
    if model.thresholds > 1 and registry["threshold/difference/mode"] == "enabled":
        channels.append("difference")
    if not channels:
        raise Refused(400, "no threshold is enabled; enable threshold/1/mode")
    return Layout(
        width=registry.count("x_pixels_in_detector"),
        height=registry.count("y_pixels_in_detector"),
        bit_depth=registry.count("bit_depth_image"),
        compression=registry.text("compression"),
        channels=tuple(channels),
        pixel_mask_applied=registry["pixel_mask_applied"] is True,
        mask_to_zero=registry["mask_to_zero"] is True,
        flatfield_applied=registry["flatfield_correction_applied"] is True,
        countrate_applied=registry["countrate_correction_applied"] is True,
    )
