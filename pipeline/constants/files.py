"""Files of the constants' store: written whole or not at all, read with every doubt named."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.constants.layout import fast_first, stored_dims
from pipeline.constants.model import dtype_of
from pipeline.constants.reading import Torn, checksum, read_values
from pipeline.errors import ConstantUnreadable

TO_DO: Final = "inject the constant again, or choose another version"
CHUNK_BYTES: Final = 2 << 20


@dataclass(frozen=True, slots=True)
class StoredConstant:
    """What a file says of itself."""

    data: NDArray[Any]
    """(fast scan, slow scan, cell[, gain or threshold]); f4 or u4, contiguous."""

    @property
    def sha256(self) -> str:
        """`content_hash` of the data: the identity of what was injected."""
        return content_hash(self.data)


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
            packing = _packing(data) if data.dtype.kind == "u" else {}
            stored = group.create_dataset("data", data=data, **packing)
            stored.attrs["dims"] = np.array(list(dims), dtype=h5py.string_dtype())
            stored.attrs["sha256"] = content_hash(data)
            stored.attrs["lane_sums"] = checksum(data)
            for name, value in attributes.items():
                group.attrs[name] = value
        _flush(part)
        part.replace(path)
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _packing(data: NDArray[Any]) -> dict[str, Any]:
    """Chunks that span all axes but the first: they are unpacked straight into their place."""
    row = max(1, data[:1].nbytes)
    rows = min(max(1, CHUNK_BYTES // row), len(data))
    return {"compression": 1, "shuffle": True, "chunks": (rows, *data.shape[1:]) if data.size else None}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_constant(path: Path, data_set: str, calibration: str, wanted: tuple[int, ...]) -> StoredConstant:
    """Read a constant and check it against what its calibration and conditions promise.

    Type and shape are checked before anything is read, so that a damaged file cannot fill the memory.
    Raises ConstantUnreadable, which names the file, the dataset and what to do.
    """
    name = f"{data_set}/data"
    try:
        with h5py.File(path, "r") as file:
            stored = file.get(name)
            if not isinstance(stored, h5py.Dataset):
                raise ConstantUnreadable(path, f"holds no dataset {name}{_what_else(file)}; {TO_DO}")
            return _read(path, stored, calibration, wanted)
    except FileNotFoundError:
        raise ConstantUnreadable(path, f"is not there; check the store's folder, or {TO_DO}") from None
    except Torn as error:
        raise ConstantUnreadable(path, f"{name} is damaged ({error}); {TO_DO}") from None
    except (OSError, RuntimeError) as error:  # HDF5 tells of damage as either
        raise ConstantUnreadable(path, f"cannot be read as HDF5 with {name} ({error}); {TO_DO}") from None


def _what_else(file: h5py.File) -> str:
    """Whose constants the file holds instead, where it says so."""
    found = [f"{unit}/{kind}" for unit in islice(file, 3) for kind in islice(_group(file, unit), 3)]
    return f", but that of {', '.join(found)}" if found else ""


def _group(file: h5py.File, name: str) -> Iterable[str]:
    inside = file.get(name)
    return inside if isinstance(inside, h5py.Group) else ()


def _read(path: Path, stored: h5py.Dataset, calibration: str, wanted: tuple[int, ...]) -> StoredConstant:
    dtype = dtype_of(calibration)
    kinds = "iu" if dtype.kind == "u" else "f"
    if stored.dtype.kind not in kinds:
        needed = "whole numbers" if dtype.kind == "u" else "floating-point numbers"
        raise ConstantUnreadable(
            path, f"{stored.name} holds {stored.dtype}, but {calibration} needs {needed}; {TO_DO}"
        )
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
    raw, sums = read_values(stored)
    if _changed(stored, raw, sums):
        raise ConstantUnreadable(
            path, f"{stored.name} is not what was written (its checksum differs); {TO_DO}"
        )
    if raw.dtype.kind == "f" and not _any_number(raw):
        raise ConstantUnreadable(path, f"{stored.name} holds no number at all, only NaN; {TO_DO}")
    return StoredConstant(np.ascontiguousarray(fast_first(raw, dims), dtype=dtype))


def _changed(stored: h5py.Dataset, raw: NDArray[Any], sums: str) -> bool:
    """Whether a checksum of the writer does not fit; where there is none, nobody can tell."""
    if (kept := stored.attrs.get("lane_sums")) is not None:
        return bool(kept != sums)
    # Files of earlier versions have the slower one only.
    digest = stored.attrs.get("sha256")
    return digest is not None and bool(digest != content_hash(raw))


def _any_number(raw: NDArray[Any]) -> bool:
    """Whether anything is finite; a few values answer that for every constant that is one."""
    flat = raw.reshape(-1)
    return bool(np.isfinite(flat[:: max(1, flat.size // 4096)]).any() or np.isfinite(flat).any())


def _labels(stored: h5py.Dataset, calibration: str) -> tuple[str, ...]:
    labels = stored.attrs.get("dims")
    if labels is None:
        return stored_dims(calibration, stored.ndim)
    return tuple(
        label.decode() if isinstance(label, bytes) else str(label) for label in np.atleast_1d(labels)
    )
