"""The truth file: what is true of every module, for tests only. The pipeline never reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import h5py

from sim.xtdf.config import AnyTable
from sim.xtdf.module import ModuleModel
from sim.xtdf.pixels import BadPixel

TRUTH_VERSION: Final = 1


def write_truth(path: Path, table: AnyTable, seed: int, modules: Iterable[ModuleModel]) -> None:
    """Write the truth of *modules* atomically. docs/xtdf.md lists the datasets."""
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
        for module in modules:
            group = file.create_group(f"{module.channel:02d}")
            group.attrs.update({"pdu": module.serial, "channel": module.channel})
            module.write_truth(group)
    os.replace(unfinished, path)
