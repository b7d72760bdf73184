"""kill -9 of an acceptance run at every journal write of the demonstration in miniature: the same final record."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fat.configs import shipped_bench
from fat.record import comparable
from scheduler import read_journal

KILLER = Path(__file__).with_name("fat_killer.py")
MOST_KILLS = 100
SHARES = 4
"""Of the kinds of writes. The suite has one of them: the scheduler's own test kills at every second write of a toy."""


def kinds_of(run_dir: Path, share: int) -> set[str]:
    """Every kind of write that a run made, as far as it belongs to a share."""
    spec = importlib.util.spec_from_file_location("fat_killer", KILLER)
    assert spec is not None
    assert spec.loader is not None
    killer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(killer)
    kinds = killer.Kinds()
    made = {kinds.of(record.event, record.data) for record in read_journal(run_dir)}
    return {kind for kind in made if killer.share_of(kind, SHARES) == share}


def record_of(folder: Path) -> dict[str, Any]:
    return comparable(json.loads((folder / "runs/latest/record.json").read_text()))


VARIANTS = [pytest.param(share, marks=pytest.mark.thorough) for share in range(1, SHARES)]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("share", [0, *VARIANTS])
def test_killed_at_every_journal_write_the_record_is_the_same(tmp_path: Path, share: int) -> None:
    bench = shipped_bench("mini")
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    undisturbed.mkdir()
    disturbed.mkdir()
    whole = subprocess.run(
        [sys.executable, "-m", "fat", "fat", "run", bench], cwd=undisturbed, capture_output=True, text=True
    )
    assert whole.returncode == 0, whole.stdout + whole.stderr

    kills = disturbed / "kills"
    kills.touch()
    for _ in range(MOST_KILLS):
        attempt = subprocess.run(
            [sys.executable, KILLER, bench, kills, str(share), str(SHARES)],
            cwd=disturbed,
            capture_output=True,
            text=True,
        )
        if attempt.returncode not in (-signal.SIGKILL, -signal.SIGXFSZ):
            break
    assert attempt.returncode == 0, attempt.stdout + attempt.stderr

    # Every kind of write that the undisturbed run made was a place of death.
    assert kinds_of(undisturbed / "runs/latest", share) <= set(kills.read_text().splitlines())
    assert record_of(disturbed) == record_of(undisturbed)
