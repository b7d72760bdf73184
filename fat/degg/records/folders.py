"""Folders of measured data: `DATA_DIR/<type>/<YYYYMMDD>_<NN>`, the first free number."""

from __future__ import annotations

from datetime import date
from itertools import count
from pathlib import Path


def data_folder(data_dir: Path, kind: str, day: date) -> Path:
    """Make the folder of a new measurement; no two callers are given the same one."""
    (data_dir / kind).mkdir(parents=True, exist_ok=True)
    for number in count():
        folder = data_dir / kind / f"{day:%Y%m%d}_{number:02d}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers do not end")
