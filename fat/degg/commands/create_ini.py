"""`stellwerk fat create-ini`: the schedule of a run as a file that a person may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fat.degg.records.run_file import RunFile
from fat.degg.schedule.build import sections
from fat.degg.schedule.section import Section
from fat.degg.schedule.short import short_sections
from fat.errors import UsageError
from fat.files import write_bytes_atomically


def create_ini(
    run_file: Path,
    config: Path,
    *,
    no_hv: bool,
    short: bool,
    fewer_events: bool,
    verbose: bool,
    overwrite: bool,
) -> int:
    """Write the schedule; returns the number of its tasks.

    no_hv         without the scans of the high voltage
    short         every kind of task once
    fewer_events  for simulated modules (`fat.degg.schedule.economy`)
    verbose       whether people are told of the run and its modules at launch

    Raises UsageError for a file that is there, RecordUnreadable for a run file that is none.
    """
    if config.suffix != ".ini":
        raise UsageError(f"{config}: a schedule's name ends in .ini")
    if config.exists() and not overwrite:
        raise UsageError(f"{config} is there; use another name, or --overwrite")
    run = RunFile.open(run_file)
    if short:
        chosen = short_sections(fewer_events=fewer_events)
    else:
        chosen = sections(no_hv=no_hv, fewer_events=fewer_events)
    write_bytes_atomically(config, "\n".join(_lines(run, chosen, verbose=verbose)).encode())
    return len(chosen)


def _lines(run: RunFile, chosen: Sequence[Section], *, verbose: bool) -> Iterator[str]:
    yield f"# Schedule of run {run.number:05d}, {len(chosen)} tasks. Arguments are handed over in their order."
    yield "[constants]"
    yield f"run_file = {run.path}"
    yield f"verbose = {verbose}"
    yield ""
    for section in chosen:
        yield from section.lines()
