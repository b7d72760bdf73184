"""The configuration of each launch, kept beside the run's device files: `<name>_0.ini`, then the next number."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from fat.files import write_bytes_atomically


def archive_config(config: Path, folder: Path) -> Path:
    """Copy a configuration; returns the copy. No copy is ever overwritten."""
    for number in count():
        copy = folder / f"{config.stem}_{number}{config.suffix}"
        if not copy.exists():
            write_bytes_atomically(copy, config.read_bytes())
            return copy
    raise AssertionError("numbers do not end")
