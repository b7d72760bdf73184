"""Arrays that tasks leave for the report's figures, `{run}/figures/{name}.npz`, and what was drawn from them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fat.files import write_bytes_atomically


def save(run_dir: Path, name: str, **arrays: NDArray[Any]) -> None:
    """Keep arrays under a name; an earlier attempt's are replaced."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes_atomically(run_dir / "figures" / f"{name}.npz", buffer.getvalue())


def load(run_dir: Path, name: str) -> dict[str, NDArray[Any]] | None:
    """The arrays of that name, or None when the task that makes them has not run."""
    path = run_dir / "figures" / f"{name}.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def keep_drawn(run_dir: Path, anchor: str, png: bytes) -> None:
    """Keep a figure for the next time that this run's report is written."""
    write_bytes_atomically(run_dir / "figures" / f"{anchor}.png", png)


def drawn(run_dir: Path, name: str, anchor: str) -> bytes | None:
    """The figure that was drawn from the arrays as they are, or None: they are newer, or it was never drawn."""
    try:
        arrays = (run_dir / "figures" / f"{name}.npz").stat().st_mtime_ns
        path = run_dir / "figures" / f"{anchor}.png"
        return path.read_bytes() if path.stat().st_mtime_ns > arrays else None
    except FileNotFoundError:
        return None
