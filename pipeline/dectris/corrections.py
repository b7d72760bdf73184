"""Pixel mask and flat field of a series: from the unit, from its start message, or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.client import DcuClient
from pipeline.errors import RunUnreadable, SettingRejected
from pipeline.model import F32

WHERE: Final = {
    "pixel_mask": ("entry/instrument/detector/detectorSpecific/pixel_mask", "pixel_mask"),
    "flatfield": ("entry/instrument/detector/detectorSpecific/flatfield", "flatfield"),
}
"""Where files hold the arrays: a control unit's master file, and a plain one."""


@dataclass(frozen=True, slots=True, eq=False)
class Corrections:
    """What is done to images before they are summed or written; None: nothing."""

    excluded: NDArray[np.bool_] | None = None
    """(height, width), True where a pixel is bad: any bit of the pixel mask."""
    flatfield: F32 | None = None
    """(height, width) factor of each pixel."""

    def fitting(self, shape: tuple[int, int]) -> Corrections:
        """The same for images of *shape* (height, width). Raises SettingRejected when they are of another."""
        for name, array in (("the pixel mask", self.excluded), ("the flat field", self.flatfield)):
            if array is not None and array.shape != shape:
                raise SettingRejected(
                    name,
                    f"{array.shape[1]} × {array.shape[0]}",
                    f"{shape[1]} × {shape[0]} pixels as the images",
                )
        return self


def from_unit(client: DcuClient, *, mask: bool = True, flatfield: bool = False) -> Corrections:
    """What the unit has at present; its own corrections may apply it already. Raises the client's errors."""
    return Corrections(
        excluded=client.get_array("pixel_mask") != 0 if mask else None,
        flatfield=client.get_array("flatfield").astype(np.float32) if flatfield else None,
    )


def from_files(mask: Path | None = None, flatfield: Path | None = None) -> Corrections:
    """From HDF5 files: a control unit's master file, or a dataset `pixel_mask`, `flatfield`. Raises RunUnreadable."""
    return Corrections(
        excluded=None if mask is None else _dataset(mask, "pixel_mask") != 0,
        flatfield=None if flatfield is None else _dataset(flatfield, "flatfield").astype(np.float32),
    )


def _dataset(path: Path, name: str) -> NDArray[Any]:
    places: Sequence[str] = WHERE[name]
    try:
        with h5py.File(path) as file:
            found = next((file[place] for place in places if place in file), None)
            if not isinstance(found, h5py.Dataset) or found.ndim != 2:
                raise RunUnreadable(path, f"holds no {name} with two dimensions at {' or '.join(places)}")
            return np.asarray(found[()])
    except OSError as error:
        raise RunUnreadable(path, error.strerror or str(error)) from error
