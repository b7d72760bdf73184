"""A gain scan whose process is killed goes on with the voltages that it has not measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fat.testing.task_lab import task_lab
from scheduler import Engine, Plan, SchedulerTable, Task, create_run, open_run

CALL = "degg_gain_killed:scanned"


def written(run_dir: Path, task: str, attempt: int) -> list[str]:
    return (run_dir / f"written_{task}_{attempt}").read_text().splitlines()


def form(entry: dict[str, Any]) -> set[tuple[str, str]]:
    return {(key, type(value).__name__) for key, value in entry.items()}


def test_a_killed_scan_goes_on_and_measures_anew_only_what_is_not_on_the_disk(
    tmp_path: Path, monkeypatch: Any, nothing_left_behind: None
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with task_lab(tmp_path, 1) as lab:
        plan = Plan(
            "gain",
            (
                Task("killed", "Killed", CALL, {"dies": True}, retries=1),
                Task("whole", "Undisturbed", CALL, {"dies": False}),
            ),
            parameters={"run_file": str(lab.run_file)},
        )
        environment = {"endpoints": {key: str(value) for key, value in lab.bench.endpoints.items()}}
        run_dir = create_run(tmp_path / "fat", plan)
        Engine(run_dir, None, lab.clock, environment, SchedulerTable()).run()
        tasks, papers = open_run(run_dir).tasks, lab.papers(5000)

    assert [str(task.verdict) for task in tasks.values()] == ["PASS", "PASS"]
    before, after = written(run_dir, "killed", 1), written(run_dir, "killed", 2)
    damaged, half_done = before[3], before[4]
    assert len(before) == 5
    assert not {*before[:3]} & {*after}
    assert {damaged, half_done} <= {*after}
    assert any(damaged in note for note in tasks["killed"].notes)
    assert len(after) == len({*after})
    for part in ("LowerPmt", "UpperPmt"):
        killed, whole = (papers[part][f"GainMeasurement_{number:02d}"] for number in (0, 1))
        assert "GainMeasurement_02" not in papers[part]
        assert form(killed) == form(whole)
        serial = papers[part]["SerialNumber"]
        files = {path.name for path in Path(killed["Folder"]).glob(f"{serial}_*.hdf5")}
        assert files == {name for name in (*before, *after) if name.startswith(f"{serial}_")}
        assert len(files) >= 5
