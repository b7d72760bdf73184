"""Files of the constants' store: written whole or not at all, read with every doubt named."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.constants.layout import fast_first, stored_dims
from pipeline.constants.model import dtype_of
from pipeline.errors import ConstantUnreadable

TO_DO: Final = "inject the constant again, or choose another version"


@dataclass(frozen=True, slots=True)
class StoredConstant:
    """What a file says of itself."""

    data: NDArray[Any]
    """(fast scan, slow scan, cell[, gain or threshold]); f4 or u4, contiguous."""
    sha256: str
    """`content_hash` of the data as they are stored."""


def content_hash(data: NDArray[Any]) -> str:
    """SHA-256 of dtype, shape and values (C order): equal for equal constants, whatever the file's layout."""
    array = np.ascontiguousarray(data)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array.view(np.uint8).data)
    return digest.hexdigest()


def write_constant(
    path: Path,
    data_set: str,
    data: NDArray[Any],
    dims: Sequence[str],
    attributes: Mapping[str, str | float],
) -> None:
    """Write one constant into a new file; it appears under *path* only when it is complete and on disk.

    data        any number of axes, labelled by *dims*
    attributes  conditions and validity, kept on the group *data_set*
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with h5py.File(part, "w") as file:
            group = file.create_group(data_set)
            # Masks are nearly all zeros and shrink to nothing; floats hardly shrink and would only cost time.
            packing = {"compression": 1, "shuffle": True} if data.dtype.kind == "u" else {}
            stored = group.create_dataset("data", data=data, **packing)
            stored.attrs["dims"] = np.array(list(dims), dtype=h5py.string_dtype())
            stored.attrs["sha256"] = content_hash(data)
            for name, value in attributes.items():
                group.attrs[name] = value
        _flush(part)
        part.replace(path)
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_constant(path: Path, data_set: str, calibration: str, wanted: tuple[int, ...]) -> StoredConstant:
    """Read a constant and check it against the shape that its calibration and conditions promise.

    The shape is checked before anything is read, so that a damaged file cannot fill the memory.
    Raises ConstantUnreadable, which names the file, the dataset and what to do.
    """
    name = f"{data_set}/data"
    try:
        with h5py.File(path, "r") as file:
            stored = file.get(name)
            if not isinstance(stored, h5py.Dataset):
                raise ConstantUnreadable(path, f"holds no dataset {name}; {TO_DO}")
            return _read(path, stored, calibration, wanted)
    except FileNotFoundError:
        raise ConstantUnreadable(path, f"is not there; check the store's folder, or {TO_DO}") from None
    except OSError as error:
        raise ConstantUnreadable(path, f"cannot be read as HDF5 with {name} ({error}); {TO_DO}") from None


def _read(path: Path, stored: h5py.Dataset, calibration: str, wanted: tuple[int, ...]) -> StoredConstant:
    dtype = dtype_of(calibration)
    if stored.dtype.kind not in "fiu":
        raise ConstantUnreadable(path, f"{stored.name} holds {stored.dtype}, not numbers; {TO_DO}")
    dims = _labels(stored, calibration)
    try:
        # A view over one zero has the file's shape without its memory: only the order of axes is worked out here.
        shape = fast_first(np.broadcast_to(np.zeros(1, dtype), stored.shape), dims).shape
    except ValueError as error:
        raise ConstantUnreadable(path, f"{stored.name}: {error}; {TO_DO}") from None
    # A last axis may be longer than a reader needs: stored SlopesPC have up to 11 parameters.
    longer = len(shape) == 4 and len(wanted) == 4 and wanted[3] <= shape[3] <= 16
    if shape != wanted and not (longer and shape[:3] == wanted[:3]):
        raise ConstantUnreadable(
            path, f"{stored.name} has shape {shape}, but {calibration} needs {wanted} (axes {dims}); {TO_DO}"
        )
    raw = stored[()]
    digest = content_hash(raw)
    if stored.attrs.get("sha256", digest) != digest:
        raise ConstantUnreadable(
            path, f"{stored.name} is not what was written (its SHA-256 differs); {TO_DO}"
        )
    data = np.ascontiguousarray(fast_first(raw, dims), dtype=dtype)
    return StoredConstant(data, digest)


def _labels(stored: h5py.Dataset, calibration: str) -> tuple[str, ...]:
    labels = stored.attrs.get("dims")
    if labels is None:
        return stored_dims(calibration, stored.ndim)
    return tuple(
        label.decode() if isinstance(label, bytes) else str(label) for label in np.atleast_1d(labels)
    )
