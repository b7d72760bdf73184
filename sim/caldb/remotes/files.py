"""Constants' files in the store: written whole or not at all; read after a look at what they promise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.caldb.remotes.fields import Refusal
from sim.caldb.remotes.messages import Described, Inject

DTYPES: Final = frozenset(
    f"{order}{kind}" for order in "<>" for kind in ("f4", "f8", "i2", "u2", "i4", "u4", "i8", "u8")
) | {"|u1", "|i1"}


def content_hash(data: NDArray[Any]) -> str:
    """SHA-256 of dtype, shape and values in C order, as the files of the store carry it."""
    digest = hashlib.sha256(f"{data.dtype.str} {data.shape}".encode())
    digest.update(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def inside(store: Path, relative: PurePosixPath) -> Path:
    """A file's place in the store. Raises Refusal for one that lies elsewhere: rows are written by clients."""
    path = (store / relative).resolve()
    if not path.is_relative_to(store.resolve()):
        raise Refusal(
            "file", f"{relative} lies outside the store; the catalogue's entry is wrong", _at(relative)
        )
    return path


def _at(relative: PurePosixPath) -> dict[str, str]:
    return {"path": str(relative)}


def describe(store: Path, relative: PurePosixPath, data_set: str) -> Described:
    """What a constant's file says of its array; no value is read. Raises Refusal."""
    return _open(store, relative, data_set, most_bytes=None)[0]


def read(
    store: Path, relative: PurePosixPath, data_set: str, most_bytes: int
) -> tuple[Described, NDArray[Any]]:
    """A constant's array, C order; *most_bytes* is what there is room for. Raises Refusal."""
    described, data = _open(store, relative, data_set, most_bytes=most_bytes)
    assert data is not None
    return described, data


def _open(
    store: Path, relative: PurePosixPath, data_set: str, *, most_bytes: int | None
) -> tuple[Described, NDArray[Any] | None]:
    name = f"{data_set}/data"
    try:
        with h5py.File(inside(store, relative), "r") as file:
            stored = file.get(name)
            if not isinstance(stored, h5py.Dataset):
                raise Refusal("file", f"{relative} holds no dataset {name}", _at(relative))
            _check(relative, stored, most_bytes)
            data = None if most_bytes is None else np.ascontiguousarray(stored[()])
            return _described(stored, data), data
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        # A damaged file shows itself in many ways; HDF5's sentence says which.
        raise Refusal(
            "file", f"{relative} cannot be read as HDF5 with {name} ({error})", _at(relative)
        ) from None


def _check(relative: PurePosixPath, stored: h5py.Dataset, most_bytes: int | None) -> None:
    if stored.dtype.str not in DTYPES or stored.shape is None:
        raise Refusal("file", f"{relative} holds {stored.dtype}, not numbers", _at(relative))
    if stored.is_virtual or stored.external:
        raise Refusal("file", f"{relative} keeps its values in other files", _at(relative))
    if most_bytes is not None and stored.nbytes > most_bytes:
        raise Refusal("file", f"{relative} is being changed; ask again", _at(relative))


def _described(stored: h5py.Dataset, data: NDArray[Any] | None) -> Described:
    labels = stored.attrs.get("dims")
    dims = () if labels is None else tuple(_text(label) for label in np.atleast_1d(labels)[:8])
    left = stored.attrs.get("sha256")
    # A writer that left no checksum: what was read now is what a client must get.
    digest = _text(left) if left is not None else "" if data is None else content_hash(data)
    return Described(stored.dtype.str, tuple(map(int, stored.shape)), dims, digest)


def _text(value: Any) -> str:
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value))[:128]


def array_of(inject: Inject) -> NDArray[Any]:
    """The array that an injection brings, without a copy. Raises Refusal when its bytes are not as described."""
    told = inject.array
    if told.dtype not in DTYPES:
        raise Refusal("invalid", f"array.dtype cannot be {told.dtype!r}; write for example <f4 or <u4")
    dtype = np.dtype(told.dtype)
    values = 1
    for length in told.shape:
        values *= length
    if not told.shape or values * dtype.itemsize != len(inject.data):
        raise Refusal(
            "invalid",
            f"the data frame has {len(inject.data)} bytes, not those of {told.dtype} {list(told.shape)}",
        )
    if len(told.dims) != len(told.shape):
        raise Refusal("invalid", f"array.dims names {len(told.dims)} axes of {len(told.shape)}")
    data = np.frombuffer(inject.data, dtype).reshape(told.shape)
    if content_hash(data) != told.sha256:
        raise Refusal("checksum", "the data arrived with another SHA-256 than array.sha256; send them again")
    return data


def write(
    path: Path, data_set: str, inject: Inject, data: NDArray[Any], attributes: Mapping[str, Any]
) -> None:
    """Write one constant; the file appears under its name only when it is complete and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{id(data):x}.part")
    try:
        with h5py.File(part, "w") as file:
            group = file.create_group(data_set)
            stored = group.create_dataset("data", data=data)
            stored.attrs["dims"] = np.array(list(inject.array.dims), dtype=h5py.string_dtype())
            stored.attrs["sha256"] = inject.array.sha256
            for name, value in attributes.items():
                group.attrs[name] = value
        _flush(part)
        part.replace(path)
        _flush(path.parent)
    except (ValueError, TypeError) as error:
        raise Refusal("invalid", f"the constant cannot be written as HDF5 ({error})") from None
    finally:
        part.unlink(missing_ok=True)


def cut_in_half(path: Path) -> None:
    """What a full disk leaves."""
    os.truncate(path, path.stat().st_size // 2)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
