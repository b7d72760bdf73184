"""Numbers of raw runs that a plan may use."""

from __future__ import annotations

from fat.bench.file import BenchFile
from fat.errors import UsageError


def first_raw_run(file: BenchFile) -> int:
    """The first number that no raw run of the proposal has. Raises UsageError for a bench without a pipeline."""
    table = file.pipeline
    if table is None:
        raise UsageError(
            f"{file.path}: the plan {file.fat.plan!r} corrects data; it needs a table [pipeline]"
        )
    folder = file.data_dir / table.instrument / table.cycle / f"p{table.proposal:06d}" / "raw"
    numbers = [int(run.name[1:]) for run in folder.glob("r[0-9][0-9][0-9][0-9]")]
    return max(numbers, default=0) + 1
