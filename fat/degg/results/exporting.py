"""The result records of a run as files for the database: `run_<16 digits>/<subdevice>_<group>_<key>_<nn>.json`.

They are made from what tasks found, in the order of the plan, so they can be made anew at any time and are the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from fat.degg.records.locked_json import read_json
from fat.degg.results import documents
from fat.degg.results.conclude import FOUND
from fat.files import write_bytes_atomically

RECORDS = "records"
"""Below the run folder; not backed up, because it can be made anew."""

FORMAT: Final = 1
"""Of the records: another one makes them anew."""


def found_by(run_dir: Path, tasks: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What tasks found, in their order: task, and for each record `device`, `part`, `document`.

    Raises RecordUnreadable for a file that is damaged.
    """
    for task in tasks:
        path = run_dir / FOUND / f"{task}.json"
        if path.exists():
            yield task, read_json(path)["found"]


def export(run_dir: Path, tasks: Sequence[str], run: int) -> Path:
    """Write the result records of a run; the folder. Raises DocumentRefused when two would be the same file.

    Nothing is written when all of them are there, made from the same results: a whole test has 46 000, which take the
    disk longer to delete than the rest of a report takes to be written.
    """
    folder = run_dir / RECORDS / f"run_{run:016d}"
    source = _digest(run_dir, tasks)
    note = folder.with_name(f".{folder.name}.source")
    if folder.is_dir() and note.exists() and note.read_text() == f"{source} {len(os.listdir(folder))}":
        return folder
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
            with open(f"{unborn}/{name}", "xb", buffering=0) as file:  # forty thousand: each is one write
                file.write(text)
    shutil.rmtree(folder, ignore_errors=True)
    unborn.rename(folder)
    write_bytes_atomically(note, f"{source} {len(digests)}".encode())
    return folder


def _digest(run_dir: Path, tasks: Sequence[str]) -> str:
    """Of all that the records are made from."""
    digest = hashlib.sha256(f"{FORMAT} {' '.join(tasks)}".encode())
    for task in tasks:
        path = run_dir / FOUND / f"{task}.json"
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _demand_new(digests: dict[str, str], digest: str, name: str) -> None:
    if digest in digests:
        raise documents.DocumentRefused(f"result records {digests[digest]} and {name} are the same bytes")
    digests[digest] = name
