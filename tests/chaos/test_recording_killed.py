"""A recording that is killed at any moment leaves a run that can be read, up to the train before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from pipeline.daq.inspection import inspect_run

SCRIPT = Path(__file__).with_name("recording_killed.py")
FOREIGN = Path(__file__).parents[2] / ".venvs/euxfel/bin/lsxfel"


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 7, 11])
def test_what_was_written_before_the_kill_is_there(tmp_path: Path, lines: int) -> None:
    folder = tmp_path / "r0005"
    with subprocess.Popen([sys.executable, SCRIPT, folder], stdout=subprocess.PIPE, text=True) as recording:
        assert recording.stdout is not None
        for number in range(1, lines + 1):
            assert recording.stdout.readline() == f"{number}\n"
        recording.kill()
    seen: dict[int, set[int]] = {0: set(), 1: set()}
    for path in sorted(folder.glob("RAW-*AGIPD*.h5")):
        module = int(path.name[15:17])
        with h5py.File(path) as file:
            source = f"SPB_DET_AGIPD1M-1/DET/{module}CH0:xtdf"
            ids = [int(t) for t in file["INDEX/trainId"][()] if t]
            first, count = (file[f"INDEX/{source}/image/{key}"][()] for key in ("first", "count"))
            data = file[f"INSTRUMENT/{source}/image/data"]
            for row, train_id in enumerate(ids):
                assert count[row] == 2
                assert (data[first[row] : first[row] + 2] == train_id).all()
            seen[module].update(ids)
    for module in (0, 1):
        assert set(range(1, lines + 1)) <= seen[module]
    # The kill fell between the files of one train at most: nothing else may be wrong with the run.
    assert {finding.rule for finding in inspect_run(folder).findings} <= {"trains", "missing_modules"}
    if FOREIGN.exists():
        shown = subprocess.run([FOREIGN, folder], capture_output=True, text=True)
        assert shown.returncode == 0, shown.stderr
