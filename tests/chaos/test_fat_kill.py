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
SHARES, SUITE = 8, 2
"""Of the kinds of writes, and the one that the suite has: a task's beginning, the end of a lengthy one and a backup,
with other ways to die. The scheduler's own test kills at every second write of a toy."""


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


SHARE = [pytest.param(share, marks=() if share == SUITE else pytest.mark.thorough) for share in range(SHARES)]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("share", SHARE)
def test_killed_at_every_journal_write_the_record_is_the_same(
    tmp_path: Path, accepted_mini: Path, share: int
) -> None:
    bench, disturbed = shipped_bench("mini"), tmp_path
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
    assert kinds_of(accepted_mini / "runs/latest", share) <= set(kills.read_text().splitlines())
    assert record_of(disturbed) == record_of(accepted_mini)
