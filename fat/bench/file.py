"""The bench file: one TOML, read once, each package's table validated by that package's own model."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fat.config import FatTable
from fat.errors import BenchFileRejected
from scheduler.schedule.toml_position import line_of

LEAVES: Final = ("sim", "pipeline", "scheduler")


class BenchTable(BaseModel):
    """`[bench]`"""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    """Name of the bench, as it appears in pages and messages."""
    seed: Annotated[int, Field(ge=0)]
    """All random numbers of all simulators derive from it and from serial numbers."""
    data_dir: str
    """Folder for everything that the bench writes, relative to the working folder."""
    control_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the control API; 0 = a free one."""
    web_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the live page; 0 = a free one."""


@dataclass(frozen=True, slots=True)
class BenchFile:
    """A bench file that was read and found good."""

    path: Path
    text: str
    bench: BenchTable
    sim: Any
    """`sim.config.SimTable`"""
    pipeline: Any
    """`pipeline.config.PipelineTable`, or None where the file has no `[pipeline]`."""
    scheduler: Any
    """`scheduler.config.SchedulerTable`"""
    fat: FatTable

    @property
    def data_dir(self) -> Path:
        """The bench's data folder, absolute."""
        return Path(self.bench.data_dir).absolute()


def load(path: Path, data_dir: Path | None = None) -> BenchFile:
    """Read and validate a bench file; *data_dir* replaces the folder that it names.

    Raises BenchFileRejected with one sentence for each mistake.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BenchFileRejected(path, [f"{path}: no such bench file{_nearest_file(path)}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BenchFileRejected(path, [f"{path}: cannot be read: {error}"]) from None
    file = parse(text, path)
    if data_dir is None:
        return file
    return replace(file, bench=file.bench.model_copy(update={"data_dir": str(data_dir.absolute())}))


def parse(text: str, path: Path) -> BenchFile:
    """Validate the text of a bench file; *path* is named in errors. Raises BenchFileRejected."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BenchFileRejected(path, [f"{path}: not valid TOML: {error}"]) from None
    models = _models()
    mistakes = list(_unknown_tables(tables, models, text, path))
    values: dict[str, Any] = {}
    for name, model in models.items():
        if name == "bench" and name not in tables:
            mistakes.append(f"{path}: table [bench] is missing; it needs name, seed and data_dir")
            continue
        if name == "pipeline" and name not in tables:
            continue
        try:
            values[name] = model.model_validate(tables.get(name, {}))
        except ValidationError as error:
            mistakes.extend(_sentences(error, name, model, text, path))
    if mistakes:
        raise BenchFileRejected(path, mistakes)
    return BenchFile(
        path=path,
        text=text,
        bench=values["bench"],
        sim=values["sim"],
        pipeline=values.get("pipeline"),
        scheduler=values["scheduler"],
        fat=values["fat"],
    )


def _models() -> dict[str, type[BaseModel]]:
    offered = {point.name: point for point in entry_points(group="stellwerk.config")}
    leaves: dict[str, type[BaseModel]] = {name: offered[name].load() for name in LEAVES}
    return {"bench": BenchTable, **leaves, "fat": FatTable}


def _unknown_tables(
    tables: Mapping[str, Any], models: Mapping[str, Any], text: str, path: Path
) -> Iterator[str]:
    for name in tables:
        if name not in models:
            yield f"{_place(path, text, (name,))}: unknown table [{name}]{_did_you_mean(name, models)}"


def _sentences(
    error: ValidationError, table: str, model: type[BaseModel], text: str, path: Path
) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        keys = _without_tags((table, *problem["loc"]), tomllib.loads(text))
        place = _place(path, text, keys)
        dotted = ".".join(str(key) for key in keys)
        if problem["type"] == "extra_forbidden":
            known = _known_keys(model, problem["loc"])
            yield f"{place}: unknown key {dotted!r}{_did_you_mean(str(keys[-1]), known)}"
        elif problem["type"] == "missing":
            yield f"{place}: key {dotted!r} is missing"
        else:
            got = problem.get("input")
            shown = "" if isinstance(got, dict | list) else f", not {got!r}"
            message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
            yield f"{place}: {dotted}: {message}{shown}"


def _without_tags(loc: tuple[Any, ...], tables: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Leave out of an error's place what is no key of the file: tags of unions, names of functions."""
    keys: list[str | int] = []
    here: Any = tables
    for depth, part in enumerate(loc):
        is_key = isinstance(here, dict) and part in here
        is_index = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if is_key or is_index:
            keys.append(part)
            here = here[part]
        elif depth == len(loc) - 1 and isinstance(part, str) and not part.startswith("function-"):
            keys.append(part)
    return tuple(keys)


def _known_keys(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys that a model allows where the unknown key of *loc* stands."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    here: Any = schema
    for part in loc[:-1]:
        here = _descend(here, part, definitions)
    here = _resolve(here, definitions)
    return list(here.get("properties", {}))


def _resolve(schema: Any, definitions: Mapping[str, Any]) -> Any:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _descend(schema: Any, part: Any, definitions: Mapping[str, Any]) -> Any:
    schema = _resolve(schema, definitions)
    if isinstance(part, int):
        return schema.get("items", schema)
    if part in schema.get("properties", {}):
        return schema["properties"][part]
    for union in ("oneOf", "anyOf"):
        for member in schema.get(union, ()):
            resolved = _resolve(member, definitions)
            kind = resolved.get("properties", {}).get("kind", {})
            if kind.get("const") == part or (
                part == "(real device)" and "address" in resolved.get("properties", {})
            ):
                return resolved
    if isinstance(schema.get("additionalProperties"), dict):
        return schema["additionalProperties"]
    return next(iter(schema.get("patternProperties", {}).values()), schema)


def _place(path: Path, text: str, keys: tuple[str | int, ...]) -> str:
    line = line_of(text, keys)
    return f"{path}:{line}" if line is not None else str(path)


def _did_you_mean(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


def _nearest_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (and no folder {folder})"
    names = [entry.name for entry in folder.glob("*.toml")]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.4)
    return f"; did you mean {folder / close[0]}?" if close else ""
