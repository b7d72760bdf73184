"""`stellwerk pipe`: run the pipeline, inspect runs, correct runs. Imports are inside the commands: starting is fast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline.constants_commands import app as constants_app
from pipeline.dectris_commands.acquire import acquire
from pipeline.dectris_commands.tune import tune

app = typer.Typer(
    no_args_is_help=True,
    help="The data acquisition and correction pipeline: run it, inspect and correct runs.",
)
app.add_typer(constants_app, name="constants")
app.command()(acquire)
app.command()(tune)

EXIT_FAIL = 1
EXIT_USAGE = 2
EXIT_RESUMABLE = 75

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _refuse(sentence: str, as_json: bool = False, code: int = EXIT_USAGE) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": sentence}))
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


@app.command()
def online(
    table: Annotated[Path, typer.Argument(help="TOML file with a [pipeline] table, e.g. a bench file.")],
    data_dir: Annotated[Path, typer.Option(help="Folder below which runs are written.")] = Path(
        "runs/pipeline"
    ),
    feed: Annotated[
        str | None,
        typer.Option(help="Take raw trains from a karabo bridge, tcp://host:port, instead of datagrams."),
    ] = None,
    catalogue: Annotated[
        str | None, typer.Option(help="Address of the constants catalogue, as caldb.rest.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Root folder of the constants, as caldb.store.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the online pipeline in the foreground until Ctrl-C.

    Examples:

      stellwerk pipe online configs/agipd-1m.toml

      stellwerk pipe online configs/agipd-1m.toml --feed tcp://127.0.0.1:4545

    Without a bench there is no time server: train n is taken to have been at n × 100 ms after 1970.
    """
    import secrets
    import signal
    import threading

    from pipeline.config import FeedTable
    from pipeline.errors import PipelineError
    from pipeline.model import TrainClock
    from pipeline.online.assembly import OnlinePipeline
    from pipeline.tables import read_table

    token = secrets.token_urlsafe(24)
    try:
        read = read_table(table)
        if feed is not None:
            read = read.model_copy(update={"feed": FeedTable(address=feed)})
        known = {"caldb.rest": catalogue, "caldb.store": store and str(store.absolute())}
        endpoints = {name: address for name, address in known.items() if address}
        pipeline = OnlinePipeline(read, data_dir.absolute(), endpoints, TrainClock(0, 0), token)
        addresses = pipeline.start()
    except PipelineError as error:
        _refuse(str(error), as_json)
    asked = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: asked.set())
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    if as_json:
        typer.echo(json.dumps({"endpoints": addresses, "token": token}))
    else:
        for name, address in addresses.items():
            typer.echo(f"{name:<18} {address}")
        typer.echo(f"{'token':<18} {token}")
    asked.wait()
    pipeline.stop()


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(help="Run directory, e.g. runs/demo/SPB/202601/p900001/raw/r0001.")],
    modules: Annotated[int | None, typer.Option(min=1, max=16, help="Modules that must be there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for what a reader of a run would stumble over; exit 1 when something is found."""
    from pipeline.daq.inspection import inspect_run
    from pipeline.errors import RunUnreadable

    try:
        result = inspect_run(run, modules)
    except RunUnreadable as error:
        _refuse(str(error), as_json)
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    else:
        typer.echo(
            f"{result.folder}: {len(result.modules)} modules, {result.trains} trains, {result.frames} frames, "
            f"{result.files} files"
        )
        for finding in result.findings:
            typer.echo(f"  {finding.rule:<16} {finding.where}: {finding.text}")
        typer.echo("no problems found" if not result.findings else f"{len(result.findings)} problems found")
    if result.findings:
        raise typer.Exit(EXIT_FAIL)


@app.command()
def offline(
    run: Annotated[Path, typer.Argument(help="Directory of a raw run.")],
    catalogue: Annotated[str, typer.Option(help="Address of the constants catalogue, as caldb.rest.")],
    store: Annotated[Path, typer.Option(help="Root folder of the constants, as caldb.store.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the corrected run; by default under proc.")
    ] = None,
    detector: Annotated[str, typer.Option(help="Name of the detector.")] = "SPB_DET_AGIPD1M-1",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Files that are corrected at a time.")] = 2,
    table: Annotated[
        Path | None,
        typer.Option(
            help="File with a [pipeline] table: steps and numbers of the recipe; conditions where the run has none."
        ),
    ] = None,
    selection: Annotated[
        str, typer.Option(help="Versions of constants: prior, closest or exact; empty: as the table says.")
    ] = "",
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder in which answers and files are kept for when the catalogue is silent."),
    ] = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="Processes instead of threads: for machines with many cores.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Correct a recorded run with the constants that were in force when it was taken.

    The detector's type and its operating conditions come from the run's own control data, or from --table. A second
    start goes on where the first was stopped. Ctrl-C lets the files that are being written finish and exits with 75.
    Files that cannot be read and modules without constants are named, the others are corrected, and the exit code is 1.

    Example: stellwerk pipe offline runs/demo/SPB/202601/p900001/raw/r0004 --catalogue http://127.0.0.1:8080
    --store runs/demo/caldb
    """
    import signal
    import threading
    from dataclasses import asdict

    asked = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: asked.set())

    from pipeline.config import ConstantsTable, CorrectionTable
    from pipeline.constants import open_catalogue, strategy_of
    from pipeline.correct import recipe_of
    from pipeline.daq.conditions import conditions_for
    from pipeline.errors import PipelineError
    from pipeline.offline.correct import correct_run
    from pipeline.offline.metadata import write_metadata
    from pipeline.offline.prepare import prepare
    from pipeline.offline.progress import FileProgress
    from pipeline.offline.rawrun import raw_files, run_begin
    from pipeline.offline.workers import executor_of
    from pipeline.tables import read_table

    run = run.absolute()
    try:
        modules = sorted({file.module for file in raw_files(run)})
        given = None if table is None else read_table(table)
        conditions = conditions_for(run, given)
        recipe = recipe_of(CorrectionTable() if given is None else given.correction, conditions)
        wanted = ConstantsTable() if given is None else given.constants
        with open_catalogue(catalogue, store, detector, wanted, cache) as constants:
            strategy = strategy_of(selection or wanted.selection)
            ready = prepare(constants, recipe, conditions, modules, run_begin(run), strategy)
        target = out or run.parent.parent / "proc" / run.name
        with (
            executor_of(workers, processes=processes) as executor,
            FileProgress(shown=not as_json) as progress,
        ):
            done = correct_run(
                run, target, detector, ready.corrections, executor, progress.tell, asked.is_set
            )
        write_metadata(target, detector, recipe.steps, ready.constants)
    except PipelineError as error:
        _refuse(str(error), as_json, error.exit_code)
    for remark in constants.remarks:
        typer.echo(remark, err=True)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    **asdict(done),
                    "folder": str(done.folder),
                    "lacking": ready.lacking,
                    "remarks": constants.remarks,
                }
            )
        )
    else:
        typer.echo(f"{done.folder}: {done.files} files corrected, {done.skipped} were finished before")
        for name in done.uncorrected:
            typer.echo(f"  {name} is not corrected: {ready.lacking[int(name[-2:])]}", err=True)
        for sentence in done.failed:
            typer.echo(f"  {sentence}", err=True)
        if done.remaining:
            typer.echo(f"  {done.remaining} files remain; start again to go on", err=True)
    if done.remaining:
        raise typer.Exit(EXIT_RESUMABLE)
    if done.failed or done.uncorrected:
        raise typer.Exit(EXIT_FAIL)


@app.command()
def bench(
    section: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this: kernel, end_to_end, half, highest, every_train, peers, offline, growth. May be repeated."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=2, help="Length of the end-to-end measurement.")] = 60,
    quick: Annotated[
        bool, typer.Option("--quick", help="A look in a minute: kernel, end_to_end, offline.")
    ] = False,
    peer: Annotated[
        Path | None, typer.Option(help="karabo-bridge-server-sim, to compare with.", show_default=False)
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the growth into this file.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the pipeline on this machine: side by side, after a warm-up, as a table.

    Examples:

      stellwerk pipe bench --quick

      stellwerk pipe bench --section end_to_end --seconds 600

      stellwerk pipe bench --section growth --figure growth.png --json
    """
    from rich.console import Console

    from pipeline.bench import growth, report
    from pipeline.errors import PipelineError

    known = report.SECTIONS
    if unknown := sorted(set(section or ()) - set(known)):
        _refuse(f"there is no section {unknown[0]!r}; there are {', '.join(known)}", as_json)
    chosen = tuple(section or (("kernel", "end_to_end", "offline") if quick else known))
    console = Console(stderr=True)
    try:
        found = report.measure(
            chosen, 10 if quick else seconds, peer, lambda what: console.print(f"measuring {what} …")
        )
    except PipelineError as error:
        _refuse(str(error), as_json)
    if figure is not None and found.growth is not None:
        growth.plot(found.growth, figure)
    if as_json:
        typer.echo(json.dumps(report.as_json(found)))
    else:
        report.show(found, Console())
