"""Record and report of a run, written when an engine ends, however it ended."""

from __future__ import annotations

from pathlib import Path

from fat.acceptance.writing import shown
from fat.record import is_recorded, write_record


def finish(run_dir: Path, *, draw_anew: bool = True, quiet: bool = True) -> Path:
    """Write `record.json` and `report.html`; the report's path.

    draw_anew  draw every figure, rather than take what an earlier report of the run has drawn
    quiet      show nobody how far it is
    """
    record = write_record(run_dir)
    # The drawing library takes a second to load: a run that is only begun, or stopped, does not wait for it.
    run_file = record["provenance"].get("run_file")
    if run_file is not None and Path(run_file).is_file():
        from fat.degg.report.write import write_reports

        ended = record["verdict"] in ("PASS", "FAIL")
        with shown(quiet=quiet) as told:
            return write_reports(run_dir, devices=ended or draw_anew, progress=told)
    from fat.report.write import write_report

    return write_report(run_dir, draw_anew=draw_anew)


def finish_if_missed(run_dir: Path, *, quiet: bool = True) -> None:
    """Write record and report of a run that was killed between the end of its journal and the last of them."""
    report = run_dir / "report.html"
    record = run_dir / "record.json"
    if (
        not is_recorded(run_dir)
        or not report.exists()
        or report.stat().st_mtime_ns < record.stat().st_mtime_ns
    ):
        finish(run_dir, draw_anew=False, quiet=quiet)
