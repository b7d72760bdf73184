"""Kill a run with SIGKILL at random instants, resume it, and compare its record with that of an undisturbed run.

    PYTHONPATH=. .venv/bin/python tests/chaos/kill_seeds.py              a hundred seeds of the toy plan, minutes
    PYTHONPATH=. .venv/bin/python tests/chaos/kill_seeds.py --plan mini  a hundred of acceptance runs, hours

Each seed kills one to three times, at moments drawn over the length of an undisturbed run: between two events, in the
middle of one, inside tasks, checks and backups. Exit code 1 if a record differs.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import scheduler_toy

from fat.configs import shipped_bench
from scheduler import list_runs, read_journal, record
from scheduler.records import comparable

MOST_KILLS = 3


class Toy:
    """The plan of scheduler_toy.py: six tasks, one beside others, one tried again, a question, checks, two backups."""

    def carry_out(self, folder: Path) -> None:
        """In a process of its own: begin, or go on."""
        scheduler_toy.carry_out(folder)

    def runs(self, folder: Path) -> list[Path]:
        """The runs in the folder."""
        return list_runs(folder)

    def record(self, folder: Path) -> Any:
        """What must be equal."""
        return comparable(record(self.runs(folder)[0]))


class Mini:
    """The acceptance run of the shipped bench in miniature, with its bench, instruments and analyses."""

    def carry_out(self, folder: Path) -> None:
        """In a process of its own, in the folder, as the command line does."""
        from fat.acceptance import launch

        os.chdir(folder)
        with (folder / "output").open("ab") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        runs = self.runs(folder)
        if launch.resume(runs[0]) if runs else launch.run_new(Path(shipped_bench("mini"))):
            raise SystemExit("the run did not pass")

    def runs(self, folder: Path) -> list[Path]:
        """The runs in the folder."""
        return [run for data in sorted(folder.glob("runs/*/fat")) for run in list_runs(data)]

    def record(self, folder: Path) -> Any:
        """What must be equal."""
        import json

        from fat.record import comparable as without_wall_times

        return without_wall_times(json.loads((self.runs(folder)[0] / "record.json").read_text()))


PLANS: dict[str, Callable[[], Toy | Mini]] = {"toy": Toy, "mini": Mini}


def run_for(plan: Toy | Mini, folder: Path, limit_s: float | None) -> int:
    """Let a process carry the run on, and kill it after *limit_s*. Returns its exit code."""
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            plan.carry_out(folder)
            code = 0
        finally:
            os._exit(code)
    descriptor = os.pidfd_open(pid)
    try:
        if not select.select([descriptor], [], [], limit_s)[0]:
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(descriptor)


def last_event(plan: Toy | Mini, folder: Path) -> str:
    """What a dead engine wrote last."""
    runs = plan.runs(folder)
    return read_journal(runs[0])[-1].event if runs else "nothing"


def disturbed(plan: Toy | Mini, folder: Path, seed: int, length_s: float) -> list[str]:
    """Kill a run as the seed wants, and let it go through; returns after which events it was killed."""
    rng = random.Random(seed)
    deaths = []
    for _ in range(rng.randint(1, MOST_KILLS)):
        if run_for(plan, folder, rng.uniform(0, length_s)) != -signal.SIGKILL:
            break
        deaths.append(last_event(plan, folder))
    if code := run_for(plan, folder, None):
        raise SystemExit(f"seed {seed}: the run could not be resumed, exit code {code}")
    return deaths


def say(line: str) -> None:
    """One line, now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """As the first lines of this file say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plan", choices=PLANS, default="toy")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    plan = PLANS[arguments.plan]()
    died: Counter[str] = Counter()
    different = []
    with tempfile.TemporaryDirectory(prefix="stellwerk-kills-") as work:
        for name in ("first", "undisturbed"):  # the first leaves modules loaded and files in memory
            began = time.monotonic()
            if run_for(plan, Path(work) / name, None):
                raise SystemExit("the undisturbed run did not go through")
            length_s = time.monotonic() - began
            expected = plan.record(Path(work) / name)
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            deaths = disturbed(plan, Path(work) / str(seed), seed, length_s)
            died.update(deaths)
            if plan.record(Path(work) / str(seed)) != expected:
                different.append(seed)
                say(f"seed {seed}: another record, after it was killed behind {', '.join(deaths)}")
    say(f"{arguments.seeds} seeds, {died.total()} kills, {len(different)} records differ")
    for event, count in died.most_common():
        say(f"  {count:4} behind {event}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
