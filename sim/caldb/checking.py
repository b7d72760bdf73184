"""`fsck`: whether rows and files of a store belong to each other, and whether the files are what they should be."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select

from sim.caldb.files import PART, OutsideStore, find_fault, path_inside
from sim.caldb.injection import LENGTHS
from sim.caldb.store import all_rows
from sim.caldb.tables import CONSTANTS, PARAMETERS, PARAMETERS_CONDITIONS, VERSIONS

GRACE_S: Final = 600.0
"""Files younger than this may belong to an injection that is on its way."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in a sentence that names the file."""

    path: str
    reason: str
    versions: tuple[int, ...] = ()
    """Some of the versions that need the file; none: nobody does."""

    def __str__(self) -> str:
        of = f" (version {self.versions[0]})" if self.versions else ""
        return f"{self.path} {self.reason}{of}"


@dataclass
class Report:
    """What a check found, and what it took away."""

    versions: int = 0
    files: int = 0
    broken: list[Finding] = field(default_factory=list)
    orphans: list[Finding] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong any more."""
        return not self.broken and len(self.removed) == len(self.orphans)


def check(
    engine: Engine,
    root: Path,
    *,
    content: bool = True,
    repair: bool = False,
    grace_s: float = GRACE_S,
    progress: Callable[[], None] = lambda: None,
) -> Report:
    """Check a store.

    content  read all data and compare checksums, not only the files' structure
    repair   remove files that no row needs; rows and files that are damaged stay as they are
    grace_s  younger files without rows are left alone, seconds
    """
    report = Report()
    # Files are listed before rows are read: what is injected meanwhile has its row by then.
    present = list(_files(root))
    with engine.connect() as db:
        report.versions = int(db.execute(select(func.count()).select_from(VERSIONS)).scalar_one())
        lengths = _lengths(db)
        needed: set[Path] = set()
        for row in _distinct(db):
            _check_one(report, root, row, lengths[row["condition_id"]], needed, content=content)
            progress()
    report.files = len(needed)
    for path in present:
        if path.absolute() not in needed and _older(path, grace_s):
            report.orphans.append(Finding(str(path), "is needed by no version"))
            if repair:
                path.unlink(missing_ok=True)
                report.removed.append(str(path))
    return report


def _check_one(
    report: Report, root: Path, row: dict[str, Any], lengths: list[int], needed: set[Path], *, content: bool
) -> None:
    versions = (int(row["version_id"]),)
    try:
        path = path_inside(root, row["path_to_file"], row["file_name"])
    except OutsideStore as error:
        report.broken.append(Finding(f"{row['path_to_file']}{row['file_name']}", str(error), versions))
        return
    needed.add(path.absolute())
    fault = find_fault(path, row["data_set_name"], lengths, content=content)
    if fault is not None:
        report.broken.append(Finding(str(path), fault, versions))


def _distinct(db: Connection) -> list[dict[str, Any]]:
    """Every dataset that versions need, once for each condition, with one of the versions."""
    columns = (
        VERSIONS.c.path_to_file,
        VERSIONS.c.file_name,
        VERSIONS.c.data_set_name,
        CONSTANTS.c.condition_id,
    )
    query = (
        select(*columns, func.min(VERSIONS.c.id).label("version_id"))
        .join(CONSTANTS, CONSTANTS.c.id == VERSIONS.c.calibration_constant_id)
        .group_by(*columns)
        .order_by(func.min(VERSIONS.c.id))
    )
    return all_rows(db, query)


def _lengths(db: Connection) -> dict[int, list[int]]:
    """By condition, the lengths of axes that it asks for."""
    query = (
        select(PARAMETERS_CONDITIONS.c.condition_id, PARAMETERS_CONDITIONS.c.value)
        .join(PARAMETERS, PARAMETERS.c.id == PARAMETERS_CONDITIONS.c.parameter_id)
        .where(PARAMETERS.c.name.in_(LENGTHS), PARAMETERS_CONDITIONS.c.value.is_not(None))
    )
    found: dict[int, list[int]] = defaultdict(list)
    for row in all_rows(db, query):
        found[row["condition_id"]].append(int(row["value"]))
    return found


def _files(root: Path) -> Iterator[Path]:
    """Files in a store that look like constants, complete or not; links are not followed."""
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            whole = name.startswith("cal.") and name.endswith(".h5")
            if whole or (name.startswith(".cal.") and name.endswith(PART)):
                yield Path(folder) / name


def _older(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime >= seconds
    except FileNotFoundError:
        return False
