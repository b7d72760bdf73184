"""Plain lists, and create, read, update, delete by id, for every model of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from sim.caldb.calls import Answer, Call, Operation, Query, paged
from sim.caldb.fields import Invalid, read_fields, render
from sim.caldb.store import all_rows, change, create, page_of, remove, row_by_id
from sim.caldb.tables import (
    CALIBRATIONS,
    CONSTANTS,
    DETECTOR_TYPES,
    DETECTORS,
    DETECTORS_INSTRUMENTS,
    INSTRUMENTS,
    PARAMETERS,
    REPORTS,
)

Show = Callable[[Mapping[str, Any]], dict[str, Any]]


def show_detector(db: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    """A detector with the instruments that it belongs to."""
    links = select(DETECTORS_INSTRUMENTS).where(DETECTORS_INSTRUMENTS.c.detector_id == row["id"])
    pairs = [
        {"instrument_id": link["instrument_id"], "detector_id": link["detector_id"]}
        for link in all_rows(db, links)
    ]
    return {**render(DETECTORS, row), "detectors_instruments": pairs}


def show_report(call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
    """A report with its address in the catalogue."""
    return {**render(REPORTS, row), "view_url": f"{call.base_url}/reports/{row['id']}"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One model with its path, the name of its object in bodies, and the columns that lists may be searched by."""

    path: str
    table: Table
    body: str
    search: tuple[str, ...] = ("name",)
    read_only: bool = False
    fixed: tuple[str, ...] = ()
    """Fields that an update must not change."""

    def show(self, call: Call) -> Show:
        """How to show rows of this model."""
        if self.table is DETECTORS:
            return lambda row: show_detector(call.db, row)
        if self.table is REPORTS:
            return lambda row: show_report(call, row)
        return lambda row: render(self.table, row)

    def operations(self) -> list[Operation]:
        """What can be done with this model."""
        every, one, shown = f"/{self.path}", f"/{self.path}/{{id:row_id}}", self.body
        search = tuple(Query(name, "text") for name in self.search)
        operations = [
            Operation("GET", every, self._list, shown, many=True, query=search, paged=True),
            Operation("GET", one, self._read, shown),
        ]
        if not self.read_only:
            operations += [
                Operation("POST", every, self._create, shown, body=f"new_{shown}", statuses=(201,)),
                Operation("PUT", one, self._change, shown, body=f"changed_{shown}"),
                Operation("DELETE", one, self._delete, None, statuses=(204,)),
            ]
        return operations

    def _list(self, call: Call) -> Answer:
        wanted = {name: call.value("text", name) for name in self.search}
        where = [self.table.c[name] == value for name, value in wanted.items() if value is not None]
        page, size = call.paging()
        rows, total = page_of(call.db, self.table, where, page, size)
        return paged([self.show(call)(row) for row in rows], total, page, size)

    def _read(self, call: Call) -> Answer:
        return Answer(self.show(call)(row_by_id(call.db, self.table, call.path["id"])))

    def _create(self, call: Call) -> Answer:
        row = create(call.db, self.table, call.object(self.body), call.now_ms)
        return Answer(self.show(call)(row), 201)

    def _change(self, call: Call) -> Answer:
        fields = call.object(self.body)
        before = row_by_id(call.db, self.table, call.path["id"])
        wanted = read_fields(self.table, fields, partial=True)
        moved = {
            name: ["cannot be updated"]
            for name in self.fixed
            if wanted.get(name, before[name]) != before[name]
        }
        if moved:
            raise Invalid(moved)
        return Answer(self.show(call)(change(call.db, self.table, call.path["id"], fields, call.now_ms)))

    def _delete(self, call: Call) -> Answer:
        remove(call.db, self.table, call.path["id"])
        return Answer(None, 204)


RESOURCES = (
    Resource("detectors", DETECTORS, "detector", ("name", "identifier"), fixed=("identifier",)),
    Resource("instruments", INSTRUMENTS, "instrument", ("name", "identifier"), read_only=True),
    Resource("detector_types", DETECTOR_TYPES, "detector_type"),
    Resource("parameters", PARAMETERS, "parameter", fixed=("name", "unit_id", "flg_text")),
    Resource("calibrations", CALIBRATIONS, "calibration", fixed=("name", "unit_id")),
    Resource("calibration_constants", CONSTANTS, "calibration_constant"),
    Resource("reports", REPORTS, "report", ("name", "file_path")),
)
