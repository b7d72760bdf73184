"""The figures of the demonstration's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fat.report import figures
from fat.report.drawing import Drawing


def drawings(record: Mapping[str, Any]) -> list[Drawing]:
    """Every figure, in the order of the page."""
    detector = str(record["provenance"]["detector"] or "AGIPD1M")
    # The correction of a DSSC knows neither photons nor gain stages.
    stages, unit, near_zero = (
        (1, "ADU", "Values") if "DSSC" in detector else (3, "photons", "High-gain values")
    )
    return [
        Drawing("light", "Corrected image", f"Mean over all trains and cells of the illuminated run, in {unit}; masked "
                "pixels and gaps grey.", "light", "Illuminated run",
                lambda a: figures.assembled(a["mean_image"], a["modules"], f"{unit} per pixel and frame", detector)),
        Drawing("histogram", "Corrected values by gain stage", "All good pixels of all frames.", "light",
                "Illuminated run", lambda a: figures.photon_histogram(a["edges"], a["counts"][:stages], unit)),
        Drawing("photons", "Single photons", f"{near_zero} near zero: none, one, two photons.", "light",
                "Illuminated run", lambda a: figures.single_photons(a["fine_edges"], a["fine_counts"], unit)),
        Drawing("offset", "Offset", "Dark offset by gain stage, the first memory cell that shows it.", "darks",
                "Characterisation",
                lambda a: figures.gain_maps(a["offset"], a["modules"], "offset / ADU", "viridis", detector)),
        Drawing("noise", "Noise", "Standard deviation over the dark trains, the same cells.", "darks",
                "Characterisation",
                lambda a: figures.gain_maps(a["noise"], a["modules"], "noise / ADU", "cividis", detector)),
        Drawing("noise-distribution", "Noise distribution", "Good pixels of all modules, the same cells.", "darks",
                "Characterisation", lambda a: figures.distributions(_by_gain(a["noise"]), "noise / ADU")),
        Drawing("dcu", "Control unit", "Sum of the frames of the series.", "dcu", "Control unit acquisition",
                lambda a: figures.control_unit_sum(a["sum"], a["masked"])),
    ]  # fmt: skip


def _by_gain(values: Any) -> dict[str, Any]:
    return {name: values[:, gain] for gain, name in enumerate(figures.names_of(values.shape[1]))}
