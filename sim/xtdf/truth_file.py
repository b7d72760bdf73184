"""The truth file: what is true of every module, for tests only. The pipeline never reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import h5py

from sim.xtdf.config import AgipdTable
from sim.xtdf.illumination import expected_photons
from sim.xtdf.truth import BadPixel, ModuleTruth

TRUTH_VERSION: Final = 1
PIXEL: Final = ("slow_scan", "fast_scan")
"""Axis labels, stored in the attribute `dims` of every dataset."""


def write_truth(path: Path, table: AgipdTable, seed: int, modules: Iterable[tuple[int, ModuleTruth]]) -> None:
    """Write the truth of *modules* (channel, truth) atomically. docs/xtdf.md lists the datasets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with h5py.File(unfinished, "w") as file:
        file.attrs.update(
            {
                "version": TRUTH_VERSION,
                "seed": str(seed),
                "detector": table.detector,
                "memory_cells": table.memory_cells,
                "calibration_error": table.calibration_error,
                "bad_pixel_kinds": [f"{kind.value} {kind.name.lower()}" for kind in BadPixel],
            }
        )
        for channel, truth in modules:
            _write_module(file.create_group(f"{channel:02d}"), table, channel, truth)
    os.replace(unfinished, path)


def _write_module(group: h5py.Group, table: AgipdTable, channel: int, truth: ModuleTruth) -> None:
    group.attrs.update({"pdu": truth.serial, "channel": channel})
    stages = ("gain", *PIXEL)
    for name, values, dims, unit in (
        ("offset", truth.pedestal, ("cell", *stages), "ADU"),
        ("readout_noise", truth.readout_noise, stages, "ADU"),
        ("total_noise", truth.total_noise, stages, "ADU"),
        ("photon_gain", truth.photon_gain, stages, "ADU/photon"),
        ("cell_gain", truth.cell_gain, ("cell",), ""),
        ("slopes_pc", truth.slope_pc, ("high_medium", *PIXEL), "ADU/DAC step"),
        ("photons_ff", truth.photons_ff, PIXEL, "ADU/photon"),
        ("switch", truth.switch, ("high_medium", *PIXEL), "ADU"),
        ("digital_level", truth.level, stages, "ADU"),
        ("thresholds", truth.thresholds, ("threshold", *PIXEL), "ADU"),
        ("bad_pixels", truth.bad, PIXEL, ""),
        ("photons/flat", expected_photons("flat", channel, table.flat_photons), PIXEL, "photons"),
        ("photons/rings", expected_photons("rings", channel, table.flat_photons), PIXEL, "photons"),
    ):
        dataset = group.create_dataset(name, data=values)
        dataset.attrs["dims"] = list(dims)
        dataset.attrs["unit"] = unit
    for name, value in (("common_mode", truth.common_mode), ("level_noise", truth.level_noise)):
        group.create_dataset(name, data=value).attrs["unit"] = "ADU"
