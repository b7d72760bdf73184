"""`stellwerk soak`."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fat.soak.ledger import Ledger
    from fat.soak.verdict import Sample

EXIT_FAIL, EXIT_INTERRUPTED = 1, 75
QUICK_S = 24.0
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h)?")
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, None: 1.0}


def seconds_of(text: str) -> float:
    """Seconds of `90`, `90s`, `10m` or `2h`. Raises typer.BadParameter."""
    match = _TIME.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise typer.BadParameter(f"{text!r} is no time; write it like 90s, 10m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def soak(
    bench: Annotated[
        Path | None,
        typer.Argument(metavar="[BENCH.toml]", help="A bench with an AGIPD. Default: configs/soak.toml."),
    ] = None,
    time: Annotated[str, typer.Option(help="How long, e.g. 90s, 10m, 8h.")] = "10m",
    seed: Annotated[int, typer.Option(help="Seed of the faults; the same seed, the same script.")] = 1,
    record: Annotated[bool, typer.Option(help="Record in a ring of three runs.")] = True,
    quick: Annotated[bool, typer.Option("--quick", help="24 seconds.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report. Default: the bench's data folder.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Run a bench for a stated time while random faults strike, and judge it.

    It passes when every lost train has a reason, nothing stalls and no memory leaks. Ctrl-C ends it early, with a
    report of what was seen.

    Examples:

      stellwerk soak --time 10m

      stellwerk soak --quick --seed 7 --no-record
    """
    from fat.bench.file import load
    from fat.configs import shipped_bench
    from fat.soak import report
    from fat.soak.run import Soak
    from fat.soak.verdict import judge

    file = Path(bench) if bench is not None else Path(shipped_bench("soak"))
    loaded = load(file)
    seconds = QUICK_S if quick else seconds_of(time)
    running = Soak(seconds, seed, record)

    def end_early(_: int, __: FrameType | None) -> None:
        running.stop.set()

    signal.signal(signal.SIGINT, end_early)
    with _Progress(seconds, shown=not json_output) as progress:
        running.run(file, loaded.data_dir, progress.tell)
    verdict = judge(running.samples, running.ledger, seconds, running.problems)
    about = {"bench": loaded.bench.name, "seconds": seconds, "seed": seed, "interrupted": running.interrupted}
    found = report.summary(running, verdict, about)
    page = report.write(out or loaded.data_dir, found, running)
    if json_output:
        typer.echo(json.dumps({**found, "report": str(page)}))
    else:
        typer.echo(found["verdict"])
        for sentence in verdict.sentences:
            typer.echo(f"  {sentence}")
        for book in (running.ledger.acquisition, running.ledger.correction):
            for reason, lost in book.reasons.items():
                typer.echo(f"  {lost:6d}  {reason}")
        typer.echo(f"  report: {page}")
    if running.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if not verdict.passed:
        raise typer.Exit(EXIT_FAIL)


class _Progress:
    """A bar on a terminal, a line each half minute in a log."""

    def __init__(self, seconds: float, *, shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._seconds, self._shown, self._next_line_s = seconds, shown, 0.0
        self._live = shown and console.is_terminal
        columns = (TextColumn("soak"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console, disable=not self._live)
        self._task = self._bar.add_task("", total=seconds)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, at_s: float, sample: Sample, ledger: Ledger, striking: str) -> None:
        """Show where the soak is."""
        text = (
            f"{sample.trains_per_s:4.1f} trains/s  p99 {sample.p99_ms:4.0f} ms  "
            f"{ledger.lost} lost, {ledger.unexplained} without a reason  {striking}"
        )
        self._bar.update(self._task, completed=min(at_s, self._seconds), description=text)
        if self._shown and not self._live and at_s >= self._next_line_s:
            typer.echo(f"{at_s:6.0f} s of {self._seconds:.0f}  {text}", err=True)
            self._next_line_s = at_s + 30
