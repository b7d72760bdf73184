"""kill -9 of the engine at journal writes: before them, in the middle of their bytes, after them, in turn; and again.

The two shares of the writes together are every write; the suite has one of them, STELLWERK_THOROUGH=1 both.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler import Engine, Plan, SchedulerTable, Task, WallClock, create_run, open_run, resume_time_ns

TOY = Path(__file__).with_name("scheduler_toy.py")
PATIENCE_S = 60.0
SHARES = 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize("share", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_any_kill_then_resume_gives_the_undisturbed_record(tmp_path, share):
    command = [sys.executable, TOY, tmp_path, str(share), str(SHARES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    undisturbed, *kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert undisturbed["verdict"] == "FAIL"
    # created, started, finished; six tasks with start and end, one of them tried twice; checks before four, twice
    # before that one; two backups; five notes; two parts kept; a question and its answer
    assert undisturbed["writes"] >= 3 + 7 * 2 + 5 + 2 + 5 + 2 + 2
    assert len(kills) >= (undisturbed["writes"] + (undisturbed["writes"] - 4) // 3) // SHARES
    assert {kill["where"] for kill in kills} >= {"before", "within", "after"}
    for kill in kills:
        # In the middle of its bytes a write ends by the kernel's hand.
        by = signal.SIGXFSZ if kill["where"] == "within" else signal.SIGKILL
        assert kill["died"] == -by, kill
        assert kill["ended"] == 0, kill
        assert kill["equal"], kill
        assert kill["twice"] == [], kill
        assert not kill["left"], kill


def test_killed_at_random_instants_the_record_is_the_same(tmp_path):
    """Two of the hundred seeds that the program has by itself."""
    program = [sys.executable, TOY.with_name("kill_seeds.py"), "--seeds", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("2 seeds, ")
    assert done.stdout.splitlines()[0].endswith(" kills, 0 records differ")


@pytest.mark.parametrize("busy", ["sleeps", "holds the interpreter"])
def test_a_killed_engine_leaves_no_process_behind(tmp_path, busy):
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    pids = os.open(fifo, os.O_RDWR)  # both ends, so that opening waits for nobody
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import scheduler_toy_linger as linger; linger.engine(*sys.argv[2:])"
    )
    engine = subprocess.Popen([sys.executable, "-c", program, TOY.parent, tmp_path / "runs", fifo, busy])
    try:
        told = b""
        while told.count(b"\n") < 2:
            assert select.select([pids], [], [], PATIENCE_S)[0], "the task never began"
            told += os.read(pids, 64)
    finally:
        os.close(pids)
        engine.kill()
        engine.wait()
    for pid in map(int, told.split()):
        assert_gone(pid)


def assert_gone(pid: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], PATIENCE_S)[0], f"process {pid} is still there"
    finally:
        os.close(pidfd)


def test_a_resumed_task_begins_at_the_time_of_its_first_beginning(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOY.parent))
    import scheduler_toy

    run_dir = create_run(
        tmp_path,
        Plan(
            "once broken",
            (
                Task("warm_up", "", "scheduler_toy_tasks:measure", {"steps": 3}),
                Task("broken", "", "scheduler_toy_linger:breaks_once"),
            ),
            ("scheduler_toy_tasks:all_is_well",),
        ),
    )
    Engine(run_dir, None, scheduler_toy.JumpClock(), {}, SchedulerTable()).run()
    first = open_run(run_dir).tasks["broken"]

    back = resume_time_ns(run_dir)
    assert back == open_run(run_dir).tasks["warm_up"].finished_sim_ns
    outcome = Engine(run_dir, None, scheduler_toy.JumpClock(back), {}, SchedulerTable()).run()

    again = open_run(run_dir).tasks["broken"]
    assert outcome.exit_code == 0
    assert (first.attempt, again.attempt) == (1, 2)
    assert first.started_sim_ns == again.started_sim_ns


def test_resume_time_is_unknown_for_a_run_that_never_began(tmp_path):
    assert resume_time_ns(create_run(tmp_path, Plan("p", (Task("a", "", "m:f"),)))) is None
    assert WallClock().now_ns() > 0
