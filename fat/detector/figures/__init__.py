"""The figures of a detector's acceptance test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fat.detector.figures import counting, modules
from fat.report.drawing import Drawing


def drawings(record: Mapping[str, Any]) -> list[Drawing]:
    """The figures of the tasks that the run's plan has, in the order of the page."""
    kind = next((kind for kind in ("LPD", "DSSC") if kind in str(record["provenance"]["detector"])), "AGIPD")
    all_of_them = [
        ("rate", Drawing("delivery", "Trains at the nominal rate", "How long each train took; in real time, latency.",
                         "rate", "Data loss and latency", modules.delivery)),
        ("darks", Drawing("noise", "Noise", "Standard deviation over the dark trains, first memory cell; bad pixels "
                          "white.", "darks", "Noise and bad pixels", lambda a: modules.noise(a, kind))),
        ("darks", Drawing("bad-pixels", "Bad pixels in the dark", "In any memory cell and stage.", "darks",
                          "Noise and bad pixels", lambda a: modules.bad_pixels(a, kind))),
        ("gain", Drawing("photons", "Single photons", "Good pixels in high gain in weak light: none, one, two photons.",
                         "gain", "Gain", lambda a: modules.single_photons(a, kind))),
        ("gain", Drawing("response", "Response", "Signal of each pixel in a flat field over the module's mean.", "gain",
                         "Gain", lambda a: modules.response(a, kind))),
        ("linearity", Drawing("linearity", "Linearity", "Measured photons against the light, and the distance from a "
                              "straight line through the origin.", "linearity", "Linearity",
                              lambda a: modules.linearity(a, kind))),
        ("dcu_flat", Drawing("dcu-flat", "Control unit: flat field", "Corrected by the unit, over its mean; right: its "
                             "mask.", "dcu_flat", "Control unit: dark, flat field, bad pixels", counting.flat)),
        ("dcu_thresholds", Drawing("dcu-thresholds", "Control unit: thresholds", "Counts as the threshold rises "
                                   "through the photon energy.", "dcu_thresholds", "Control unit: thresholds",
                                   counting.thresholds)),
        ("dcu_rate", Drawing("dcu-rate", "Control unit: count rate", "Counted against what came, and what the unit's "
                             "correction leaves.", "dcu_rate", "Control unit: count rate", counting.count_rate)),
        ("dcu_stream", Drawing("dcu-stream", "Control unit: images", "How long each image took.", "dcu_stream",
                               "Control unit: lost images and latency", counting.stream)),
    ]  # fmt: skip
    there = {task["id"] for task in record["tasks"]}
    return [drawing for task, drawing in all_of_them if task in there]
