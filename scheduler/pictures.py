"""Pictures that people are shown: kept below the run folder, so that they are there when they can be delivered."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

PICTURES: Final = "pictures"
MOST_BYTES: Final = 8 << 20


def keep_picture(run_dir: Path, picture: Path) -> str:
    """Copy a picture; returns its path relative to the run folder. Raises OSError, ValueError when it is too large.

    Its name has the digest of what it shows: the same picture is kept once, and none is ever replaced by another.
    """
    with picture.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
    digest = hashlib.sha256(content).hexdigest()[:12]
    kept = run_dir / PICTURES / f"{picture.stem[:80]}-{digest}{picture.suffix}"
    kept.parent.mkdir(exist_ok=True)
    beside = kept.with_name(f".{kept.name}.{os.getpid()}")
    with beside.open("wb") as file_kept:
        file_kept.write(content)
        file_kept.flush()
        os.fsync(file_kept.fileno())
    beside.replace(kept)
    return f"{PICTURES}/{kept.name}"
