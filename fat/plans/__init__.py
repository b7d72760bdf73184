"""Acceptance plans: which tasks, in which order, with which limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fat.bench.file import BenchFile
from fat.degg import preload
from fat.degg.master.mirror import Mirror, put_back
from fat.degg.schedule import plan as degg
from fat.plans import demo, detector
from scheduler import Listener, Plan


@dataclass(frozen=True, slots=True)
class PlanKind:
    """How a plan is made, and what its task processes find loaded."""

    build: Callable[[BenchFile], Plan]
    """From the bench file."""
    preload: tuple[str, ...]
    """Modules; numba stays out: its threads do not survive a fork."""
    listeners: Callable[[Plan, Path], Sequence[Listener]] = lambda _plan, _run_dir: ()
    """Who else hears of a run: of its plan, and in its folder. Made when the run is begun or taken up."""


def _copies(plan: Plan, run_dir: Path) -> Sequence[Listener]:
    run_file = Path(str(plan.parameters["run_file"]))
    put_back(run_file, run_dir)
    return (Mirror(run_file, run_dir),)


PLANS: Final[Mapping[str, PlanKind]] = {
    "demo": PlanKind(demo.build, demo.PRELOAD),
    "detector": PlanKind(detector.build, demo.PRELOAD),
    "degg": PlanKind(degg.build, preload.PRELOAD, _copies),
}
"""By the name in `[fat] plan`."""
