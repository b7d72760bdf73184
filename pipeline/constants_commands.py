"""`stellwerk pipe constants`: which versions are used and why, and what is kept of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pipeline.config import PipelineTable
    from pipeline.constants import Conditions, Question

app = typer.Typer(no_args_is_help=True, help="Calibration constants: which are used and why, what is kept.")
cache_app = typer.Typer(no_args_is_help=True, help="Answers and files that are kept for a silent catalogue.")
app.add_typer(cache_app, name="cache")

EXIT_FAIL = 1
EXIT_USAGE = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
CacheFolder = Annotated[
    Path, typer.Option("--folder", help="Folder of the cache: constants-cache in the data folder.")
]
DEFAULT_FOLDER = Path("runs/pipeline/constants-cache")


def _refuse(sentence: str, as_json: bool, code: int = EXIT_USAGE) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": sentence}))
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


@app.command()
def report(
    catalogue: Annotated[str, typer.Option(help="Address of the constants catalogue, as caldb.rest.")],
    detector: Annotated[str, typer.Option(help="Name of the detector.")] = "SPB_DET_AGIPD1M-1",
    at: Annotated[str, typer.Option(help="Moment in ISO 8601 with its time zone; empty: now.")] = "",
    conditions: Annotated[
        str, typer.Option(help="Operating conditions as a JSON object of field names.")
    ] = "",
    table: Annotated[
        Path | None,
        typer.Option(help="TOML file with a [pipeline] table: detector, conditions, steps, selection."),
    ] = None,
    selection: Annotated[str, typer.Option(help="prior, closest or exact; empty: as the table says.")] = "",
    snapshot: Annotated[str, typer.Option(help="The catalogue as it stood at this moment.")] = "",
    module: Annotated[list[int] | None, typer.Option(help="Only this one. May be repeated.")] = None,
    log: Annotated[Path | None, typer.Option(help="Append the text to this file, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say which version each module uses and why no other; exit 1 when a constant lacks that is needed.

    Examples:

      stellwerk pipe constants report --catalogue http://127.0.0.1:8080 --detector SPB_DET_AGIPD1M-1
      --at 2026-01-15T09:00:00+01:00 --conditions '{"memory_cells": 4, "acquisition_rate_mhz": 1.1}'

      stellwerk pipe constants report --catalogue http://127.0.0.1:8080 --table configs/lpd-1m.toml --json
    """
    from pipeline.constants import Catalogue, CatalogueRest, explain
    from pipeline.correct import recipe_of
    from pipeline.errors import PipelineError

    rest = CatalogueRest(catalogue, retry_for_s=2.0)
    try:
        known = _table(table, detector)
        question = _question(known, at, conditions, selection, snapshot)
        recipe = recipe_of(known.correction, question.conditions)
        found = explain(
            Catalogue(rest, Path(), known.detector),
            question,
            (*recipe.needed, *recipe.welcome),
            module or known.modules,
        )
    except PipelineError as error:
        _refuse(str(error), as_json, error.exit_code)
    finally:
        rest.close()
    text = found.as_text()
    typer.echo(json.dumps(found.as_json()) if as_json else text)
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n\n")
    if any(row.answered is None and row.calibration in recipe.needed for row in found.rows):
        raise typer.Exit(EXIT_FAIL)


def _table(path: Path | None, detector: str) -> PipelineTable:
    """The table of a file, or one of defaults for a detector. Raises SettingRejected."""
    from pydantic import ValidationError

    from pipeline.config import MAX_CELLS, PipelineTable
    from pipeline.errors import SettingRejected
    from pipeline.tables import read_table

    if path is not None:
        return read_table(path)
    kind = next((kind for kind in MAX_CELLS if kind in detector), "AGIPD")
    try:
        return PipelineTable.model_validate({"detector": detector, "type": kind})
    except ValidationError as error:
        raise SettingRejected("detector", detector, error.errors()[0]["msg"]) from None


def _question(table: PipelineTable, at: str, stated: str, selection: str, snapshot: str) -> Question:
    """What is asked for. Raises SettingRejected."""
    from datetime import UTC

    from pipeline.constants import Question, strategy_of

    return Question(
        _conditions(table, stated),
        _moment("at", at) if at else datetime.now(UTC),
        strategy_of(selection or table.constants.selection),
        _moment("snapshot", snapshot) if snapshot else None,
    )


def _conditions(table: PipelineTable, stated: str) -> Conditions:
    from pipeline.constants import conditions_of
    from pipeline.errors import SettingRejected

    given: dict[str, Any] = {"memory_cells": table.memory_cells, **table.conditions.given}
    if stated:
        try:
            named = json.loads(stated)
        except ValueError:
            named = None
        if not isinstance(named, dict):
            raise SettingRejected("conditions", stated, 'a JSON object, e.g. {"memory_cells": 352}')
        given |= named
    if table.type == "AGIPD":
        given.setdefault("acquisition_rate_mhz", 1.1)
    return conditions_of(table.type, given)


def _moment(name: str, text: str) -> datetime:
    from pipeline.errors import SettingRejected

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingRejected(name, text, "a moment in ISO 8601") from None
    if moment.tzinfo is None:
        raise SettingRejected(name, text, "a moment with its time zone, e.g. 2026-01-15T09:00:00+01:00")
    return moment


@cache_app.command(name="list")
def list_entries(folder: CacheFolder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """List what is kept, the last used first.

    Example: stellwerk pipe constants cache list --folder runs/pipeline/constants-cache
    """
    from datetime import UTC

    from pipeline.constants import ConstantsCache

    entries = ConstantsCache(folder, 1 << 62, lambda sentence: typer.echo(sentence, err=True)).entries()
    if as_json:
        kept = [
            {
                "question": dict(entry.question),
                "sha256": entry.digest,
                "bytes": entry.size,
                "kept_at": datetime.fromtimestamp(entry.kept_at_s, UTC).isoformat(),
                "used_at": datetime.fromtimestamp(entry.used_at_s, UTC).isoformat(),
            }
            for entry in entries
        ]
        typer.echo(json.dumps({"folder": str(folder), "entries": kept}))
        return
    for entry in entries:
        kept_at = datetime.fromtimestamp(entry.kept_at_s, UTC).isoformat(timespec="seconds")
        typer.echo(f"{kept_at}  {entry.size:>12}  {entry.about}")
    total = sum({entry.digest: entry.size for entry in entries}.values())
    typer.echo(f"{folder}: {len(entries)} entries, {total / 1e6:.1f} MB")


@cache_app.command()
def clear(folder: CacheFolder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Forget everything that is kept. Pipelines that run go on and keep anew.

    Example: stellwerk pipe constants cache clear --folder runs/pipeline/constants-cache
    """
    from pipeline.constants import ConstantsCache

    try:
        entries, size = ConstantsCache(folder, 0).clear()
    except OSError as error:
        _refuse(f"{folder} cannot be cleared: {error.strerror or error}", as_json)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "entries": entries, "bytes": size}))
    else:
        typer.echo(f"{folder}: {entries} entries, {size / 1e6:.1f} MB removed")
