"""Files of measurements: arrays and all that an analysis needs to know about them, in HDF5.

One file for each photomultiplier and setting, `<PMT>_<HV>V.hdf5`, below `DATA_DIR/<type>/<YYYYMMDD>_<NN>`. A file
appears whole or not at all, and is on the disk when `write` returns: what a run's papers call measured is there after
a power cut. Samples are packed with Bitshuffle/LZ4 (`import hdf5plugin` before h5py opens them elsewhere).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from fat.degg.records.folders import data_folder
from fat.degg.station.records import ChargeStamps, Waveforms
from fat.errors import FatError

new_folder = data_folder
_JSON: Final = "json:"
"""Attributes that HDF5 has no type for (lists, None) are texts that begin so."""


class DataFileBroken(FatError):
    """A file of measurements cannot be read, or is not one."""

    def __init__(self, path: Path, why: object) -> None:
        self.path = path
        super().__init__(
            f"{path}: no file of measurements: {why}; measure again, or restore it from a backup"
        )


@dataclass(frozen=True, slots=True, eq=False)
class DataFile:
    """What a file holds."""

    path: Path
    arrays: Mapping[str, NDArray[Any]]
    attributes: Mapping[str, Any]

    @property
    def waveforms(self) -> Waveforms:
        """`ticks` and `samples` as waveforms. Raises DataFileBroken."""
        return Waveforms(self._array("ticks", np.int64), self._array("samples", np.uint16))

    @property
    def stamps(self) -> ChargeStamps:
        """`ticks` and `charge` (pC) as charge stamps. Raises DataFileBroken."""
        return ChargeStamps(self._array("ticks", np.int64), self._array("charge", np.float32))

    def _array(self, name: str, kind: type[np.generic]) -> NDArray[Any]:
        if name not in self.arrays or len(self.arrays[name]) != len(self.arrays.get("ticks", ())):
            raise DataFileBroken(self.path, f"it has no array {name!r} of the length of its ticks")
        return self.arrays[name].astype(kind, copy=False)


def file_name(pmt: str, volts: float) -> str:
    """`SQ0657_1450V.hdf5`."""
    return f"{pmt}_{round(volts)}V.hdf5"


def write(
    path: Path,
    data: Waveforms | ChargeStamps | Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any],
) -> Path:
    """Write a file, whole and durable. An existing one is replaced. Raises OSError when the disk does not take it.

    attributes  numbers, texts, booleans, None, lists: high voltage, temperature, threshold, serial numbers, …
    """
    arrays = data if isinstance(data, Mapping) else {name: getattr(data, name) for name in data.__slots__}
    part = path.with_name(f".{path.name}.part")
    try:
        with h5py.File(part, "w") as file:
            for name, array in arrays.items():
                packed: Any = {} if array.ndim < 2 or not array.size else hdf5plugin.Bitshuffle()
                file.create_dataset(name, data=array, **packed)
            about = file.attrs  # asked once: it opens the root group each time
            for name, value in attributes.items():
                about[name] = _told(value)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync(path.parent)
    return path


def read(path: Path) -> DataFile:
    """Read a file. Raises DataFileBroken."""
    try:
        with h5py.File(path, "r") as file:
            arrays = {
                name: np.asarray(item[()]) for name, item in file.items() if isinstance(item, h5py.Dataset)
            }
            attributes = {name: _read_attribute(value) for name, value in file.attrs.items()}
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise DataFileBroken(path, error) from None
    return DataFile(path, arrays, attributes)


def _told(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if isinstance(plain, (bool, int, float, str)) else f"{_JSON}{json.dumps(plain)}"


def _read_attribute(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str) and plain.startswith(_JSON):
        return json.loads(plain.removeprefix(_JSON))
    return plain


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
