"""HDF5 files that may be damaged: a read gives what was asked for, or says which dataset is bad.

A length is looked at before anything of that length is allocated: numbers in a damaged file may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RunUnreadable

MOST_TRAINS: Final = 1_000_000
"""Entries of an index: a file of more than a day at 10 Hz is a damaged one."""
DAMAGED: Final = (OSError, LookupError, ValueError, TypeError, RuntimeError, ArithmeticError, AttributeError)
"""What h5py raises on damaged files; which of them depends on the bytes that are hit."""


@contextmanager
def _blaming(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise RunUnreadable(path, f"{what} cannot be read: {error}") from error
    except MemoryError as error:
        raise RunUnreadable(
            path, f"{what} needs more memory than there is; correct fewer files at a time"
        ) from error


@dataclass(frozen=True, slots=True)
class Stored:
    """A dataset, the name by which sentences call it, and the file that it is in."""

    path: Path
    name: str
    dataset: h5py.Dataset
    shape: tuple[int, ...]

    def read(self, selection: int | slice) -> NDArray[Any]:
        """Some of its entries. Raises RunUnreadable."""
        with _blaming(self.path, self.name):
            return np.asarray(self.dataset[selection])


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is open for reading."""

    path: Path
    file: h5py.File

    def dataset(self, name: str, dtype: str, entry: tuple[int | None, ...] = ()) -> Stored:
        """A dataset whose integers fit into *dtype*, its entries of shape *entry*. Raises RunUnreadable.

        entry  None for an axis of any length; axes of length one may lack or be too many
        """
        with _blaming(self.path, name):
            item = self.file.get(name)
            if not isinstance(item, h5py.Dataset):
                raise RunUnreadable(self.path, f"holds no dataset {name}")
            shape, found = item.shape, item.dtype
            if not shape or not _alike(shape[1:], entry) or not _fits(found, np.dtype(dtype)):
                wanted = ", ".join(["n", *("m" if extent is None else str(extent) for extent in entry)])
                held = f"{found} {shape}"
                raise RunUnreadable(self.path, f"{name} holds {held}, not {np.dtype(dtype)} ({wanted})")
        return Stored(self.path, name, item, shape)

    def numbers(self, name: str, dtype: str) -> NDArray[Any]:
        """All of a dataset with one number for each train. Raises RunUnreadable."""
        stored = self.dataset(name, dtype)
        if stored.shape[0] > MOST_TRAINS:
            raise RunUnreadable(
                self.path, f"{name} tells of {stored.shape[0]} trains; no file holds more than {MOST_TRAINS}"
            )
        return stored.read(slice(None)).reshape(-1).astype(dtype)


@contextmanager
def opened(path: Path) -> Iterator[StoredFile]:
    """Open a file. Raises RunUnreadable."""
    with _blaming(path, "the file"):
        file = h5py.File(path, "r")
    with file:
        yield StoredFile(path, file)


def _fits(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether no number is lost; files of others have signs where ours have none, and the other way round."""
    same_width = found.kind in "iu" and found.itemsize == wanted.itemsize
    return same_width or np.can_cast(found, wanted, "safe")


def _alike(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether shapes agree but for axes of length one."""
    found = [extent for extent in shape if extent != 1]
    asked = [extent for extent in wanted if extent != 1]
    return len(found) == len(asked) and all(b in (None, a) for a, b in zip(found, asked, strict=True))
