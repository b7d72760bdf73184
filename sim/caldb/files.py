"""Files of constants in the store's folder: written whole or not at all, named safely, and checked."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError

MOST_CHUNK_BYTES: Final = 4 << 20
PART: Final = ".part"
"""How names of files end that are not complete."""
Step = Callable[[str], None]
"""Told what has just been done; tests stop there."""


class ConstantFileBad(SimError):
    """A file of constants that cannot be used: one sentence with its name."""

    exit_code = 1

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} {reason}")


class OutsideStore(SimError):
    """A path that leads out of the store's folder is refused."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no place inside the store; name a folder and file below it, without .."
        )


def nothing(_step: str) -> None:
    """A step that nobody watches."""


def path_inside(root: Path, path_to_file: str, file_name: str) -> Path:
    """Where a version's file lies. Raises OutsideStore for an absolute path, `..`, or a link that leads out."""
    relative = Path(path_to_file) / file_name
    name = f"{path_to_file.rstrip('/')}/{file_name}"
    plain = file_name not in ("", ".", "..") and not set("/\0") & set(file_name) and "\0" not in path_to_file
    if not plain or relative.is_absolute() or ".." in relative.parts:
        raise OutsideStore(name)
    path = root / relative
    if not path.resolve().is_relative_to(root.resolve()):
        raise OutsideStore(name)
    return path


def content_hash(data: NDArray[Any]) -> str:
    """SHA-256 of dtype, shape and values (C order), as writers of constants leave it in the attribute `sha256`."""
    array = np.ascontiguousarray(data)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def write_constant(
    path: Path,
    data_set: str,
    data: NDArray[Any],
    dims: Sequence[str],
    attributes: Mapping[str, str | float],
    *,
    packed: bool = False,
    step: Step = nothing,
) -> None:
    """Write one constant into a new file, which appears under *path* only when it is complete and on disk.

    attributes  conditions and validity, kept on the group *data_set*
    packed      compress: for generated values, which repeat
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with h5py.File(part, "w") as file:
            group = file.create_group(data_set)
            options: dict[str, Any] = {}
            if packed:
                options = {"compression": 1, "chunks": _chunks(data), "shuffle": data.dtype.kind == "u"}
            stored = group.create_dataset("data", data=data, **options)
            stored.attrs["dims"] = np.array(list(dims), dtype=h5py.string_dtype())
            stored.attrs["sha256"] = content_hash(data)
            for name, value in attributes.items():
                group.attrs[name] = value
        step("written")
        _flush(part)
        step("flushed")
        part.replace(path)
        step("renamed")
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def copy_whole(source: Path, path: Path, step: Step = nothing) -> None:
    """Copy a file; it appears under *path* only when it is complete and on disk. Raises ConstantFileBad."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        shutil.copyfile(source, part)
        step("copied")
        _flush(part)
        step("flushed")
        part.replace(path)
        step("renamed")
        _flush(path.parent)
    except OSError as error:
        raise ConstantFileBad(source, f"cannot be copied to {path} ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chunks(data: NDArray[Any]) -> tuple[int, ...]:
    """Whole rows of the first axis, so many that a chunk is at most 4 MiB."""
    row = max(1, data.nbytes // data.shape[0])
    return (max(1, min(data.shape[0], MOST_CHUNK_BYTES // row)), *data.shape[1:])


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_fault(path: Path, data_set: str, lengths: Sequence[int], *, content: bool = True) -> str | None:
    """What is wrong with a version's file, in words that follow its name, or None.

    lengths  what its axes must have among their lengths: memory cells and pixels of the conditions
    content  whether all data are read, and compared with the checksum that their writer left
    """
    name = f"{data_set.rstrip('/')}/data"
    if not path.exists():
        return "is not there"
    try:
        with h5py.File(path, "r") as file:
            stored = file.get(name)
            if not isinstance(stored, h5py.Dataset):
                return f"holds no dataset {name}"
            return _fault_of(stored, lengths, content=content)
    except OSError as error:
        return f"cannot be read as HDF5 ({_short(error)}); it is truncated or damaged"


def _fault_of(stored: h5py.Dataset, lengths: Sequence[int], *, content: bool) -> str | None:
    labels = stored.attrs.get("dims")
    if labels is not None and (np.ndim(labels) != 1 or len(labels) != stored.ndim):
        return f"has {stored.ndim} axes, but its attribute dims is {labels!r}"
    if Counter(lengths) - Counter(stored.shape):
        return f"has shape {stored.shape}, but its conditions ask for axes of {', '.join(map(str, lengths))}"
    if not content:
        return None
    digest = stored.attrs.get("sha256")
    data = stored[()]
    if digest is not None and content_hash(data) != digest:
        return "is not what was written (its SHA-256 differs)"
    return None


def _short(error: OSError) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
