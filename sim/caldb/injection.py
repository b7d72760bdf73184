"""Constants' files into a store and out of it: the file first, then its rows, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from sqlalchemy import Connection, Engine, select

from sim.caldb.conditions import create_condition, find_expected, read_request
from sim.caldb.fields import Invalid
from sim.caldb.files import (
    ConstantFileBad,
    Step,
    copy_whole,
    file_digest,
    find_fault,
    nothing,
    path_inside,
)
from sim.caldb.matching import Given, fingerprint
from sim.caldb.store import all_rows, change, create, row_by_id
from sim.caldb.tables import (
    CALIBRATIONS,
    CONDITIONS,
    CONSTANTS,
    DETECTOR_TYPES,
    MAX_NAME,
    PARAMETERS,
    PARAMETERS_CONDITIONS,
    PDUS,
    VERSIONS,
)
from sim.caldb.times import format_time, parse_time
from sim.caldb.versions import create_version

LENGTHS = ("Memory cells", "Pixels X", "Pixels Y")
"""Parameters that say how long axes are."""
DIGITS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One constant in a file: `/{unit}/{calibration}/{n}/data`, with conditions and begin on its group."""

    data_set: str
    unit: str
    calibration: str
    attributes: Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class Injected:
    """One version, and whether it was new."""

    row: dict[str, Any]
    new: bool


def read_parts(path: Path) -> list[Part]:
    """The constants in a file. Raises ConstantFileBad with one sentence."""
    parts: list[Part] = []

    def visit(name: str, found: object) -> None:
        steps = name.split("/")
        if isinstance(found, h5py.Dataset) and len(steps) == 4 and steps[3] == "data":
            attributes = {key: _plain(value) for key, value in found.parent.attrs.items()}
            parts.append(Part(f"/{steps[0]}/{steps[1]}/{steps[2]}", steps[0], steps[1], attributes))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except FileNotFoundError:
        raise ConstantFileBad(path, "is not there") from None
    except OSError as error:
        reason = " ".join(str(error).split())
        raise ConstantFileBad(
            path, f"cannot be read as HDF5 ({reason}); it is truncated or damaged"
        ) from None
    if not parts:
        raise ConstantFileBad(path, "holds no constant; its data must be called /UNIT/CALIBRATION/0/data")
    if len({part.unit for part in parts}) > 1:
        raise ConstantFileBad(path, "holds constants of several units; write one file for each")
    return parts


def _plain(value: Any) -> str | float:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else float(np.asarray(value).reshape(-1)[0])


def inject(
    engine: Engine,
    root: Path,
    source: Path,
    now_ms: int,
    *,
    begin_at: str | None = None,
    raw_data_location: str | None = None,
    step: Step = nothing,
) -> list[Injected]:
    """Copy a file into the store and register what it holds; the same file again changes nothing.

    A crash leaves at most a file without rows, never a row without its file. Raises ConstantFileBad, Invalid.

    begin_at  when the data were taken, ISO 8601; without it the file's own attribute counts
    """
    parts = read_parts(source)
    with engine.begin() as db:
        plans = [_plan(db, source, part, begin_at, raw_data_location) for part in parts]
    digest = file_digest(source)
    name = _file_name(plans[0]["begin_ms"], digest)
    path = path_inside(root, plans[0]["path_to_file"], name)
    # A file of that name that was damaged since is written again.
    there = path.exists() and file_digest(path) == digest
    if not there:
        copy_whole(source, path, step)
    try:
        with engine.begin() as db:
            injected = [_register(db, plan, name, now_ms) for plan in plans]
            step("inserted")
        step("committed")
    except Invalid:
        if not there:
            path.unlink(missing_ok=True)
        raise
    return injected


def _file_name(begin_ms: int, digest: str) -> str:
    """`cal.{epoch seconds with fraction}.h5`; the fraction comes from the content, which tells files apart."""
    return f"cal.{begin_ms // 1000}.{int(digest[:12], 16) % 10**DIGITS:0{DIGITS}d}.h5"


def _plan(
    db: Connection, source: Path, part: Part, begin_at: str | None, raw_data_location: str | None
) -> dict[str, Any]:
    """All that a version's row needs but its file's name and constant. Raises ConstantFileBad, Invalid."""
    unit = _named(db, source, PDUS, PDUS.c.physical_name, part.unit, "unit")
    calibration = _named(db, source, CALIBRATIONS, CALIBRATIONS.c.name, part.calibration, "calibration")
    begin = begin_at or part.attributes.get("begin_at")
    if not isinstance(begin, str):
        raise ConstantFileBad(source, f"does not say when {part.data_set} begins; name it with --begin-at")
    try:
        begin_ms = parse_time(begin)
    except ValueError as error:
        raise ConstantFileBad(source, f"begins at {begin!r}, which {error}") from None
    request = _request(db, part.attributes)
    fault = find_fault(source, part.data_set, lengths_of(db, request.values()))
    if fault is not None:
        raise ConstantFileBad(source, fault)
    kind = row_by_id(db, DETECTOR_TYPES, unit["detector_type_id"])
    return {
        "request": request,
        "unit": unit,
        "calibration": calibration,
        "type": kind,
        "begin_ms": begin_ms,
        "path_to_file": f"xfel/cal/{kind['name'].lower()}/{part.unit.lower()}/",
        "data_set_name": part.data_set,
        "raw_data_location": raw_data_location or str(part.attributes.get("raw_data_location", "")),
    }


def _named(db: Connection, source: Path, table: Any, column: Any, name: str, word: str) -> dict[str, Any]:
    found = all_rows(db, select(table).where(column == name))
    if not found:
        raise ConstantFileBad(source, f"is of the {word} {name}, which this catalogue does not know")
    return found[0]


def _request(db: Connection, attributes: Mapping[str, str | float]) -> dict[int, Given]:
    """The conditions among the attributes of a constant's group; what is no parameter's name is left out."""
    known = {row["name"].lower(): row["name"] for row in all_rows(db, select(PARAMETERS.c.name))}
    listed = [
        {"parameter_name": known[name.lower()], "value": value}
        for name, value in attributes.items()
        if name.lower() in known
    ]
    return read_request(db, {"parameters_conditions_attributes": listed})


def lengths_of(db: Connection, parameters: Any) -> list[int]:
    """How long axes of a constant are under these conditions, where they say so."""
    ids = set(db.execute(select(PARAMETERS.c.id).where(PARAMETERS.c.name.in_(LENGTHS))).scalars())
    return sorted(int(p.value) for p in parameters if p.parameter_id in ids)


def _register(db: Connection, plan: Mapping[str, Any], name: str, now_ms: int) -> Injected:
    constant_id = _constant(db, plan, now_ms)
    known = select(VERSIONS).where(
        VERSIONS.c.calibration_constant_id == constant_id,
        VERSIONS.c.physical_detector_unit_id == plan["unit"]["id"],
        VERSIONS.c.begin_at == plan["begin_ms"],
    )
    for row in all_rows(db, known):
        if row["file_name"] == name:
            return Injected(row, new=False)
    body = {field: plan[field] for field in ("path_to_file", "data_set_name", "raw_data_location")}
    ids = {"calibration_constant_id": constant_id, "physical_detector_unit_id": plan["unit"]["id"]}
    begin = {"begin_at": format_time(plan["begin_ms"]), "file_name": name}
    return Injected(create_version(db, {**body, **ids, **begin}, now_ms), new=True)


def _constant(db: Connection, plan: Mapping[str, Any], now_ms: int) -> int:
    """The constant of a plan; it and its condition are added when they are new. Raises Invalid."""
    request: Mapping[int, Given] = plan["request"]
    mark = fingerprint(request.values())[:16]
    name = f"{plan['type']['name'].removesuffix('-Type')} {mark}"
    conditions = find_expected(db, request, now_ms)
    condition = conditions[0] if conditions else create_condition(db, {"name": name}, request, now_ms)
    key = {
        "detector_type_id": plan["type"]["id"],
        "calibration_id": plan["calibration"]["id"],
        "condition_id": condition["id"],
    }
    found = db.execute(select(CONSTANTS.c.id).filter_by(**key)).scalar()
    if found is not None:
        return int(found)
    title = f"{plan['type']['name']}_{plan['calibration']['name']}_{condition['name']}"[:MAX_NAME]
    return int(create(db, CONSTANTS, {"name": title, **key}, now_ms)["id"])


def export(engine: Engine, root: Path, version_ids: Sequence[int], folder: Path) -> list[Path]:
    """Copy versions' files out of the store, with conditions and begin on their groups, ready to be injected.

    Raises NotFound, ConstantFileBad, OutsideStore.
    """
    written = []
    for version_id in version_ids:
        with engine.connect() as db:
            row = row_by_id(db, VERSIONS, version_id)
            unit = row_by_id(db, PDUS, row["physical_detector_unit_id"])
            attributes = _attributes(db, row)
        source = path_inside(root, row["path_to_file"], row["file_name"])
        fault = find_fault(source, row["data_set_name"], ())
        if fault is not None:
            raise ConstantFileBad(source, fault)
        path = folder / f"{unit['physical_name']}.{version_id}.{row['file_name']}"
        folder.mkdir(parents=True, exist_ok=True)
        with h5py.File(source, "r") as held, h5py.File(path, "w") as file:
            # A file may be shared by several versions: only the one that was asked for goes along.
            file.require_group(str(Path(row["data_set_name"]).parent))
            held.copy(row["data_set_name"], file, name=row["data_set_name"])
            for name, value in attributes.items():
                file[row["data_set_name"]].attrs[name] = value
        written.append(path)
    return written


def _attributes(db: Connection, row: Mapping[str, Any]) -> dict[str, str | float]:
    constant = row_by_id(db, CONSTANTS, row["calibration_constant_id"])
    query = (
        select(PARAMETERS.c.name, PARAMETERS_CONDITIONS.c.value, PARAMETERS_CONDITIONS.c.txt_value)
        .join(PARAMETERS, PARAMETERS.c.id == PARAMETERS_CONDITIONS.c.parameter_id)
        .where(
            PARAMETERS_CONDITIONS.c.condition_id == row_by_id(db, CONDITIONS, constant["condition_id"])["id"]
        )
    )
    parameters = {
        p["name"]: p["value"] if p["txt_value"] is None else p["txt_value"] for p in all_rows(db, query)
    }
    begin = {"begin_at": str(format_time(row["begin_at"]))}
    return {**parameters, **begin, "raw_data_location": row["raw_data_location"] or ""}


def disable(engine: Engine, version_ids: Sequence[int], now_ms: int) -> list[dict[str, Any]]:
    """Take versions out of use: neither deployed nor of good quality, the documented way. Raises NotFound."""
    flags = {"flg_deployed": False, "flg_good_quality": False}
    with engine.begin() as db:
        return [change(db, VERSIONS, version_id, flags, now_ms) for version_id in version_ids]
