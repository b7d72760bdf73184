"""The papers that come with delivered modules: what stands on their nameplates, and nothing of how they behave.

A real laboratory has them from those who built the modules. An acceptance test looks a module up in them by the
identity number that its ICM tells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sim.degg.truth import ModuleTruth

NAME: Final = "modules.toml"
PARTS: Final = ("LowerPmt", "UpperPmt")


def write_papers(folder: Path, modules: Iterable[ModuleTruth]) -> Path:
    """Write `modules.toml` into the laboratory's folder, atomically; its path. Keys are those of device files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    unfinished = path.with_suffix(".part")
    unfinished.write_text("\n".join(_entry(module) for module in modules), encoding="utf-8")
    os.replace(unfinished, path)
    return path


def _entry(module: ModuleTruth) -> str:
    plate = {
        "DEggSerialNumber": module.serial,
        "ICMID": module.icm_id,
        "flashID": module.flash_id,
        "MainboardNumber": module.mainboard,
        "FlasherNumber": module.flasher,
    }
    lines = ["[[module]]", *(f"{key} = {json.dumps(value)}" for key, value in plate.items())]
    for part, pmt in zip(PARTS, module.channels, strict=True):
        lines.append(f"{part} = {{ SerialNumber = {json.dumps(pmt.serial)} }}")
    return "\n".join(lines) + "\n"
