"""Small files that other processes read while they change: replaced whole, never half written. And durable names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def replace_json(path: Path, body: Mapping[str, Any], *, durable: bool = False) -> None:
    """Write *body* to *path* so that a reader sees the old content or the new, never a part.

    *durable* waits until it would survive a loss of power.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(body, file, allow_nan=False)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
