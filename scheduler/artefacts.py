"""Files that a task leaves: in a folder of its own, listed with size and digest when it has ended."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = "artefacts"
MOST_FILES: Final = 1000
"""Of one task: they are listed in the journal. What has more belongs into one file, such as HDF5."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file."""

    name: str
    """Relative to the task's folder of artefacts, with `/`."""
    bytes: int
    sha256: str


def listed(folder: Path) -> list[Artefact]:
    """The files below *folder*, by name; each is on the disk when this returns. Links are left out.

    Raises ValueError when there are more than MOST_FILES, and OSError.
    """
    found: list[Artefact] = []
    for path in sorted(_files(folder)):
        if len(found) == MOST_FILES:
            raise ValueError(f"{folder} has more than {MOST_FILES} files; put them into one")
        found.append(_listed(path, path.relative_to(folder).as_posix()))
    return found


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path
        folders[:] = [name for name in folders if not Path(parent, name).is_symlink()]
        _sync(Path(parent))


def _listed(path: Path, name: str) -> Artefact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return Artefact(name, os.fstat(file.fileno()).st_size, digest)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
