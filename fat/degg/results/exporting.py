"""The result records of a run as files for the database: `run_<16 digits>/<subdevice>_<group>_<key>_<nn>.json`.

They are made from what tasks found, in the order of the plan, so they can be made anew at any time and are the same.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fat.degg.records.locked_json import read_json
from fat.degg.results import documents
from fat.degg.results.conclude import FOUND

RECORDS = "records"
"""Below the run folder; not backed up, because it can be made anew."""


def found_by(run_dir: Path, tasks: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What tasks found, in their order: task, and for each record `device`, `part`, `document`.

    Raises RecordUnreadable for a file that is damaged.
    """
    for task in tasks:
        path = run_dir / FOUND / f"{task}.json"
        if path.exists():
            yield task, read_json(path)["found"]


def export(run_dir: Path, tasks: Sequence[str], run: int) -> Path:
    """Write the result records of a run; the folder. Raises DocumentRefused when two would be the same file."""
    folder = run_dir / RECORDS / f"run_{run:016d}"
    unborn = folder.with_name(f".{folder.name}")
    shutil.rmtree(unborn, ignore_errors=True)
    unborn.mkdir(parents=True)
    taken: Counter[str] = Counter()
    digests: dict[str, str] = {}
    for task, found in found_by(run_dir, tasks):
        for document in (one["document"] for one in found):
            # The task makes records differ that a measurement repeated in the same second would leave alike.
            text = documents.text_of({**document, "task": task})
            stem = documents.file_name(document, 0)
            name = documents.file_name(document, taken[stem])
            taken[stem] += 1
            _demand_new(digests, hashlib.md5(text, usedforsecurity=False).hexdigest(), name)
            (unborn / name).write_bytes(text)
    shutil.rmtree(folder, ignore_errors=True)
    unborn.rename(folder)
    return folder


def _demand_new(digests: dict[str, str], digest: str, name: str) -> None:
    if digest in digests:
        raise documents.DocumentRefused(f"result records {digests[digest]} and {name} are the same bytes")
    digests[digest] = name
