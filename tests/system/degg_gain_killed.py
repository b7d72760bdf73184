"""Task of test_fat_gain_killed.py: a gain scan whose process is killed, once, between the files of its third round."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from fat.degg.station import data_files
from fat.degg.tasks import gain_kept
from fat.degg.tasks.gain import measure_gain
from scheduler import TaskContext, TaskResult

ROUND = 2
"""Photomultipliers, and so files of a round."""


def scanned(context: TaskContext, dies: bool) -> TaskResult:
    """Scan, and tell in `written_{attempt}` which files were written."""
    told = context.run_dir / f"written_{context.task_id}_{context.attempt}"
    names: list[str] = []

    def writing(path: Path, *content: Any) -> Path:
        written = data_files.write(path, *content)
        names.append(path.name)
        told.write_text("\n".join(names))
        if dies and context.attempt == 1 and len(names) == 2 * ROUND + 1:
            # While nobody looks the second photomultiplier's second point comes to have the data of its first.
            shutil.copyfile(path.with_name(names[ROUND - 1]), path.with_name(names[2 * ROUND - 1]))
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gain_kept, "write", writing)
        return measure_gain(context, "killed", events=400)
