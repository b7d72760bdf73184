"""What the sources say of a train: pure, drawn from (seed, source, train id).

Names and shapes: EXtra-data, tests/mockdata (xgm.py, imgfel_camera.py).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.control_sources.config import ControlSourcesTable

INTENSITIES: Final = 1000
"""Entries of an XGM's array of intensities; those behind the last pulse are 1."""
MEAN_ENERGY_UJ: Final = 1500.0
SPOT_COUNTS: Final = 2500.0
SPOT_WIDTH: Final = 9.0
Sources = dict[str, dict[str, Any]]


def content(table: ControlSourcesTable, seed: int, train_id: int) -> Sources:
    """Values and arrays of every source by name and key."""
    sources: Sources = {}
    if table.xgm:
        energies = _energies(table, seed, train_id)
        sources[table.xgm] = {
            "pulseEnergy.photonFlux": float(energies[: table.pulses].mean()),
            "pulseEnergy.numberOfSa1BunchesActual": table.pulses,
            "beamPosition.ixPos": float(_draw(seed, table.xgm, train_id, "x").normal(0.0, 0.05)),
            "beamPosition.iyPos": float(_draw(seed, table.xgm, train_id, "y").normal(0.0, 0.05)),
        }
        sources[f"{table.xgm}:output"] = {"data.intensityTD": energies}
    if table.camera:
        sources[f"{table.camera}:daqOutput"] = {"data.image.pixels": _image(table, seed, train_id)}
    return sources


def _energies(table: ControlSourcesTable, seed: int, train_id: int) -> NDArray[np.float32]:
    """(1000,) f4 µJ: the pulses of a self-amplified source scatter much, the train's mean less."""
    rng = _draw(seed, table.xgm, train_id, "energy")
    energies = np.ones(INTENSITIES, np.float32)
    train_mean = MEAN_ENERGY_UJ * (1 + 0.02 * rng.standard_normal())
    energies[: table.pulses] = train_mean * (1 + 0.1 * rng.standard_normal(table.pulses))
    return energies


def _image(table: ControlSourcesTable, seed: int, train_id: int) -> NDArray[np.uint16]:
    """(height, width) u2: the beam's spot, moving a little, on camera noise."""
    rng = _draw(seed, table.camera, train_id, "image")
    height, width = table.camera_pixels
    y, x = np.mgrid[:height, :width]
    at = rng.normal((height / 2, width / 2), 1.5)
    spot = SPOT_COUNTS * np.exp(-0.5 * ((y - at[0]) ** 2 + (x - at[1]) ** 2) / SPOT_WIDTH**2)
    return np.asarray(np.clip(spot + rng.normal(60, 4, (height, width)), 0, 65535), np.uint16)


def _draw(seed: int, source: str, train_id: int, what: str) -> np.random.Generator:
    key = hashlib.blake2b(f"{seed}/{source}/{train_id}/{what}".encode(), digest_size=8).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key, "little")))
