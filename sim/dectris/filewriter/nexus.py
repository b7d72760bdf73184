"""NeXus building blocks that both formats of the master file use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from sim.dectris.keys import Value
from sim.dectris.sinks import ArmedSeries

ANGSTROM_EV: Final = 12398.4198
"""Wavelength times energy, from the vendor's reference."""
TRANSLATION: Final = "/entry/instrument/detector/transformations/translation"
_NS_PER_S: Final = 1_000_000_000

Item: TypeAlias = Value | NDArray[Any] | np.generic


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What is known of a series' images when its master file is written."""

    count: int
    """Images that the files hold, or will hold."""
    lost: int = 0
    """Of these, images that were not written because the buffer was full."""
    starts_ns: NDArray[np.int64] | None = None
    """(count,) beginnings in ns since the first image's; None before the series has ended."""
    series_unix_ns: int | None = None
    """When the first image began."""


def group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """A group of a NeXus class."""
    made = parent.create_group(name)
    made.attrs["NX_class"] = np.bytes_(nx_class)
    return made


def put(parent: h5py.Group, name: str, value: Item | None, **attributes: Item) -> None:
    """Write a value with attributes; None is not written."""
    if value is None:
        return
    dataset = parent.create_dataset(name, data=_stored(value))
    for key, attribute in attributes.items():
        dataset.attrs[key] = _stored(attribute)


def put_lost(holder: h5py.Group | h5py.Dataset, count: int) -> None:
    """Say how many images of a file or series were not written; nothing where all were, as real files have it."""
    if count:
        holder.attrs["images_lost"] = np.uint64(count)


def put_keys(parent: h5py.Group, config: Mapping[str, Value], keys: Mapping[str, str]) -> None:
    """Write values of detector keys with their units ("" = none); a key that the unit lacks is left out."""
    for key, unit in keys.items():
        units = {"units": unit} if unit else {}
        put(parent, key, config.get(key), **units)


def put_image(parent: h5py.Group, name: str, array: NDArray[Any], compression: str) -> None:
    """Write a picture such as a mask, packed unless the images are plain, for then a reader may have no filters."""
    packing = {} if compression == "none" else dict(hdf5plugin.Bitshuffle(nelems=0, cname="lz4"))
    parent.create_dataset(name, data=array, chunks=array.shape, **packing)


def put_ramp(
    parent: h5py.Group, name: str, start: float, step: float, count: int, **attributes: Item
) -> None:
    """Write (count,) float64 values start + i * step; a constant takes no space, however many there are."""
    if step == 0 and count > 0:
        chunk = min(count, 1 << 16)
        made = parent.create_dataset(name, shape=(count,), dtype="f8", chunks=(chunk,), fillvalue=start)
    else:
        made = parent.create_dataset(name, data=start + step * np.arange(count, dtype=np.float64))
    for key, attribute in attributes.items():
        made.attrs[key] = _stored(attribute)


def moved_along(vector: Sequence[float], depends_on: str, unit: str = "m") -> dict[str, Item]:
    """Attributes of a translation."""
    return {
        "transformation_type": "translation",
        "units": unit,
        "vector": np.array(vector, np.float64),
        "offset": np.zeros(3),
        "depends_on": depends_on,
    }


def turned_about(vector: Sequence[float], depends_on: str, unit: str = "degree") -> dict[str, Item]:
    """Attributes of a rotation."""
    return {**moved_along(vector, depends_on, unit), "transformation_type": "rotation"}


def number(config: Mapping[str, Value], key: str) -> float | None:
    """A key's value as a number; None where it has none."""
    value = config.get(key)
    return float(value) if isinstance(value, int | float) else None


def vector(config: Mapping[str, Value], key: str, default: Sequence[float]) -> NDArray[np.float64]:
    """A key's value as an array of numbers."""
    value = config.get(key)
    return np.array(value if isinstance(value, list) and len(value) == len(default) else default, np.float64)


def wavelength(config: Mapping[str, Value]) -> float | None:
    """Incident wavelength in angstrom."""
    energy = number(config, "photon_energy") or number(config, "incident_energy")
    return ANGSTROM_EV / energy if energy else None


def saturation_value(series: ArmedSeries) -> int:
    """Highest count that is one: the count rate correction's cutoff, else the highest below the mask's value."""
    cutoff = series.config.get("countrate_correction_count_cutoff")
    highest: int = 2**series.ring.layout.bit_depth - 2
    applied = series.ring.layout.countrate_applied
    return min(cutoff, highest) if applied and isinstance(cutoff, int) and cutoff > 0 else highest


def utc(unix_ns: int) -> str:
    """ISO 8601, UTC, with microseconds and a Z."""
    at = datetime.fromtimestamp(unix_ns // _NS_PER_S, UTC).replace(tzinfo=None)
    return f"{at.isoformat()}.{unix_ns % _NS_PER_S // 1000:06d}Z"


def put_module(
    detector: h5py.Group, config: Mapping[str, Value], series: ArmedSeries, forward: float
) -> None:
    """`module` and `transformations/translation`: where the pixels lie (data_size as height, width since 2022)."""
    layout = series.ring.layout
    module = group(detector, "module", "NXdetector_module")
    put(module, "data_origin", np.zeros(2, np.uint32))
    put(module, "data_size", np.array([layout.height, layout.width], np.uint32))
    for name, key, along in (
        ("fast_pixel_direction", "x_pixel_size", (-1.0, 0.0, 0.0)),
        ("slow_pixel_direction", "y_pixel_size", (0.0, -1.0, 0.0)),
    ):
        put(module, name, number(config, key), **moved_along(along, TRANSLATION))
    put(module, "module_index", np.uint32(0))
    put(module, "module_offset", np.zeros(3), **moved_along((0.0, 0.0, 0.0), TRANSLATION))
    transformations = group(detector, "transformations", "NXtransformations")
    distance = number(config, "detector_distance") or 0.0
    put(transformations, "translation", distance, **moved_along((0.0, 0.0, forward), "."))


def _stored(value: Item) -> Any:
    """Text as fixed-length bytes, as real files have it; whole numbers in the smallest of uint32, int64, uint64."""
    if isinstance(value, str):
        # HDF5 knows no text of no length.
        encoded = value.encode(errors="replace").replace(b"\0", b" ")
        return np.array(encoded, f"S{max(1, len(encoded))}")
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.uint32(value) if 0 <= value < 2**32 else np.int64(value)
    if isinstance(value, list):
        return np.array([_stored(item) for item in value]) if value else np.zeros(0)
    return value
