"""`stellwerk caldb populate | inject | find | disable | export | fsck`: work on a store itself, server or not."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

StoreOption = Annotated[
    Path, typer.Option("--store", help="Folder of the catalogue and its constants files.")
]
DatabaseOption = Annotated[
    str,
    typer.Option("--database", help="URL of the database, when it is not catalogue.sqlite in the folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
STORE = Path("caldb")


@contextmanager
def opened(store: Path, database: str, *, new: bool = False) -> Iterator[Engine]:
    """The database of a store; changes inside are recorded as made by who types.

    What is raised on purpose ends the command with a sentence and an exit code.

    new  whether a store that is not there yet is made
    """
    from sqlalchemy.exc import OperationalError

    from sim.caldb.fields import Invalid, NotFound
    from sim.caldb.kind import CATALOGUE_FILE
    from sim.caldb.office.audit import acting
    from sim.caldb.opening import open_engine
    from sim.errors import SimError

    try:
        if not new and not database and not (store / CATALOGUE_FILE).exists():
            _fail(f"there is no catalogue in {store}; name its folder by --store, or its --database", 2)
        engine = open_engine(database or store / CATALOGUE_FILE)
        try:
            with acting(f"command line: {getpass.getuser()}"):
                yield engine
        finally:
            engine.dispose()
    except SimError as error:
        _fail(str(error), error.exit_code)
    except Invalid as error:
        _fail("; ".join(f"{name} {', '.join(words)}" for name, words in error.info.items()), 1)
    except OperationalError as error:
        _fail(f"the database cannot be used now: {' '.join(str(error.orig).split())}", 3)
    except NotFound:
        _fail("there is no such entry in the catalogue", 1)


def _fail(sentence: str, code: int) -> None:
    typer.echo(f"stellwerk: {sentence}", err=True)
    raise typer.Exit(code)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def inject(
    files: Annotated[list[Path], typer.Argument(help="HDF5 files with /UNIT/CALIBRATION/0/data.")],
    store: StoreOption = STORE,
    database: DatabaseOption = "",
    begin_at: Annotated[
        str, typer.Option(help="When the data were taken, ISO 8601; else the file says it.")
    ] = "",
    raw_data_location: Annotated[str, typer.Option(help="Such as 'proposal:900001 runs:1 2 3'.")] = "",
) -> None:
    """Copy constants' files into a store and register what they hold. The same file again changes nothing.

    Conditions are the attributes of the group UNIT/CALIBRATION/0 that have parameters' names.

    Example: stellwerk caldb inject offset.h5 --store runs/caldb
    """
    from sim.caldb import injection

    with opened(store, database) as engine:
        for file in files:
            done = injection.inject(
                engine,
                store,
                file,
                _now_ms(),
                begin_at=begin_at or None,
                raw_data_location=raw_data_location or None,
            )
            for one in done:
                word = "injected" if one.new else "there already"
                typer.echo(
                    f"{word}: version {one.row['id']}, {one.row['data_set_name']} in {one.row['file_name']}"
                )


def find(
    detector: Annotated[str, typer.Argument(help="Identifier, such as SPB_DET_AGIPD1M-1.")],
    calibrations: Annotated[list[str], typer.Argument(help="Names, such as Offset Noise.")],
    condition: Annotated[
        list[str] | None, typer.Option("--condition", "-c", help="'NAME=VALUE', once for each parameter.")
    ] = None,
    store: StoreOption = STORE,
    database: DatabaseOption = "",
    event_at: Annotated[str, typer.Option(help="ISO 8601; else now.")] = "",
    strategy: Annotated[str, typer.Option(help="closest or prior.")] = "closest",
    json_output: JsonOption = False,
) -> None:
    """Find, for each unit of a detector and each calibration, the version that fits conditions and time.

    Example: stellwerk caldb find SPB_DET_AGIPD1M-1 Offset -c "Memory cells=64" -c "Sensor Bias Voltage=300"
    """
    from sim.caldb.asking import find_versions

    pairs = [text.partition("=") for text in condition or []]
    if bad := [name for name, sign, _ in pairs if not sign]:
        _fail(f"{bad[0]!r} is no condition; write NAME=VALUE", 2)
    if strategy not in ("closest", "prior"):
        _fail(f"{strategy!r} is no strategy; write closest or prior", 2)
    asked = {name.strip(): value.strip() for name, _, value in pairs}
    with opened(store, database) as engine:
        shown = find_versions(engine, detector, calibrations, asked, event_at, strategy, _now_ms())
    _show(shown, json_output=json_output)
    if not shown:
        raise typer.Exit(1)


def _show(versions: list[dict[str, Any]], *, json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(versions, indent=2))
        return
    for version in versions:
        unit = version["physical_detector_unit"]["physical_name"]
        place = f"{version['path_to_file']}{version['file_name']}"
        typer.echo(
            f"{version['id']:>8}  {version['begin_at']}  {unit:<18} {place} {version['data_set_name']}"
        )
    if not versions:
        typer.echo("no version fits", err=True)


def disable(
    versions: Annotated[list[int], typer.Argument(help="Ids of versions.")],
    store: StoreOption = STORE,
    database: DatabaseOption = "",
) -> None:
    """Take bad versions out of use: they are no longer deployed nor of good quality. Their files stay.

    Example: stellwerk caldb disable 17 18 --store runs/caldb
    """
    from sim.caldb import injection

    with opened(store, database) as engine:
        for row in injection.disable(engine, versions, _now_ms()):
            typer.echo(f"out of use: version {row['id']}, {row['data_set_name']}")


def export(
    versions: Annotated[list[int], typer.Argument(help="Ids of versions.")],
    to: Annotated[Path, typer.Option(help="Folder that the files are written to.")] = Path(),
    store: StoreOption = STORE,
    database: DatabaseOption = "",
) -> None:
    """Copy versions out of a store, as files that `inject` takes into another one.

    Example: stellwerk caldb export 17 --to constants/ --store runs/caldb
    """
    from sim.caldb import injection

    with opened(store, database) as engine:
        for path in injection.export(engine, store, versions, to):
            typer.echo(str(path))


def fsck(
    store: StoreOption = STORE,
    database: DatabaseOption = "",
    repair: Annotated[bool, typer.Option(help="Remove files that no version needs.")] = False,
    quick: Annotated[bool, typer.Option(help="Do not read the data: no checksums.")] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Files without rows that are younger, in seconds, are left alone.")
    ] = 600.0,
    most: Annotated[int, typer.Option(min=1, help="How many findings are listed at most.")] = 100,
) -> None:
    """Check that rows and files belong to each other, and that files hold what they should. Exit code 1 if not.

    Example: stellwerk caldb fsck --store runs/caldb --repair
    """
    from sim.caldb.checking import check

    with opened(store, database) as engine:
        report = check(engine, store, content=not quick, repair=repair, grace_s=grace)
    findings = [*report.broken, *report.orphans]
    for finding in findings[:most]:
        typer.echo(f"{finding}{'; removed' if finding.path in report.removed else ''}")
    if len(findings) > most:
        typer.echo(f"… and {len(findings) - most} more")
    typer.echo(
        f"{report.versions} versions in {report.files} files: {len(report.broken)} broken, "
        f"{len(report.orphans)} without a version, {len(report.removed)} removed"
    )
    if not report.clean:
        raise typer.Exit(1)


def populate(
    store: StoreOption = STORE,
    database: DatabaseOption = "",
    detector: Annotated[
        list[str] | None, typer.Option(help="Identifier; may stand several times. Else all six.")
    ] = None,
    cells: Annotated[int, typer.Option(min=1, max=1024, help="Memory cells.")] = 64,
    history: Annotated[
        int, typer.Option(min=1, max=2000, help="Versions of each constant, a week apart.")
    ] = 1,
    rows: Annotated[
        int, typer.Option(min=0, help="So many versions without files instead, for benchmarks.")
    ] = 0,
    fixtures: Annotated[
        str, typer.Option(help="'conformance': rows that public clients' tests expect.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed makes the same constants.")] = 0,
) -> None:
    """Fill a store with detectors and generated constants. What is there stays; a repetition adds what is missing.

    Example: stellwerk caldb populate --store runs/caldb --detector SPB_DET_AGIPD1M-1 --cells 4 --history 10
    """
    if fixtures not in ("", "conformance"):
        _fail(f"there are no fixtures {fixtures!r}; there are: conformance", 2)
    with opened(store, database, new=True) as engine:
        if fixtures:
            _load_conformance(engine)
        elif rows:
            _populate_rows(engine, rows, seed)
        else:
            _populate_whole(engine, store, detector or [], cells, history, seed)


def _load_conformance(engine: Engine) -> None:
    from sim.caldb import conformance, tables
    from sim.caldb.seeding import seed
    from sim.caldb.store import settle_ids

    with engine.begin() as db:
        seed(db, [], _now_ms())
        conformance.load(db)
        # Once more: it completes what conditions are found by.
        seed(db, [], _now_ms())
        for table in tables.METADATA.sorted_tables:
            settle_ids(db, table)
    typer.echo("the rows that the public client's tests expect are there")


def _populate_rows(engine: Engine, count: int, seed: int) -> None:
    from rich.progress import Progress

    from sim.caldb.populate.rows import populate_rows

    start = time.monotonic()
    with Progress() as bar, engine.begin() as db:
        task = bar.add_task("versions", total=count)
        new = populate_rows(db, count, seed=seed, progress=lambda n: bar.advance(task, n))
    typer.echo(f"{new} versions added in {time.monotonic() - start:.1f} s")


def _populate_whole(
    engine: Engine, store: Path, identifiers: list[str], cells: int, history: int, seed: int
) -> None:
    from rich.progress import Progress

    from sim.caldb.populate.detectors import DETECTORS
    from sim.caldb.populate.whole import Plan
    from sim.caldb.populate.whole import populate as fill

    known = {one.identifier: one for one in DETECTORS}
    if unknown := [name for name in identifiers if name not in known]:
        _fail(f"there is no detector {unknown[0]!r}; there are: {', '.join(known)}", 2)
    plan = Plan(tuple(known[name] for name in identifiers or known), cells, history, seed)
    with Progress() as bar:
        task = bar.add_task("constants", total=plan.constants)
        done = fill(engine, store, plan, lambda: bar.advance(task))
    typer.echo(f"{done.versions} versions and {done.files} files ({done.bytes / 1e6:.0f} MB) added")


def register(app: typer.Typer) -> None:
    """Add these commands to `stellwerk caldb`."""
    for command in (populate, inject, find, disable, export, fsck):
        app.command()(command)
