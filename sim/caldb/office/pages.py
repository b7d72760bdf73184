"""The pages that look something up: one function for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from sim.caldb.fields import Invalid
from sim.caldb.office import listing, views
from sim.caldb.office.access import inner_address
from sim.caldb.office.app import Desk, Page
from sim.caldb.office.edits import ChangedMeanwhile, form_values, save, state_of
from sim.caldb.office.export import csv_lines
from sim.caldb.office.files import Unshowable, bits_in
from sim.caldb.office.filters import SIZES, Filters, is_id, read_filters
from sim.caldb.office.gallery import MOST_HISTORY, PLOTS, Subject, read_look
from sim.caldb.store import row_by_id
from sim.caldb.tables import CALIBRATIONS, CONSTANTS, VERSIONS

PAPERS: Final = ("light", "dark", "light-small", "dark-small")


async def versions(desk: Desk) -> Response:
    """The list of versions."""
    if (clean := _without_empty(desk)) is not None:
        return clean
    filters = read_filters(desk.request.query_params)
    rows, total = await desk.read(listing.page, filters)
    return desk.page(
        "versions.html",
        422 if filters.wrong else 200,
        rows=rows,
        filters=filters,
        choices=await desk.read(views.choices),
        paging=_paging(filters, total),
        sizes=SIZES,
    )


async def versions_csv(desk: Desk) -> Response:
    """The same list as a file, without pages."""
    filters = read_filters(desk.request.query_params)
    if filters.wrong:
        raise HTTPException(422, " ".join(filters.wrong))
    ids = await desk.read(listing.ids, filters)

    def lines() -> Iterator[str]:
        yield from csv_lines(listing.rows_of(desk.engine, ids))

    name = 'attachment; filename="calibration-constant-versions.csv"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


async def version(desk: Desk) -> Response:
    """One version: its fields, its values, its history."""
    row = await desk.read(views.version, _id(desk))
    subject = await _subject(desk, row)
    overview = await asyncio.to_thread(
        desk.office.gallery.overview, subject, read_look(desk.request.query_params)
    )
    mask = bool(overview.get("header") and overview["header"].mask)
    bits = sum(1 << bit for bit in overview["numbers"].by_bit) if mask else 0
    return desk.page(
        "version.html",
        version=row,
        history=subject.history,
        changes=await desk.read(views.changes_of, VERSIONS.name, row["id"]),
        bits=bits_in(bits),
        **overview,
    )


async def plot(desk: Desk) -> Response:
    """A picture of a version's values."""
    name = desk.request.path_params["plot"]
    paper = desk.request.query_params.get("paper", PAPERS[0])
    if name not in PLOTS or paper not in PAPERS:
        raise HTTPException(404, "there is no such plot")
    subject = await _subject(desk, await desk.read(views.version, _id(desk)))
    look, gallery = read_look(desk.request.query_params), desk.office.gallery
    try:
        tag = gallery.tag(subject, name, look, paper)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if desk.request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        picture = await asyncio.to_thread(gallery.picture, subject, name, look, paper)
    except Unshowable as trouble:
        raise HTTPException(422, str(trouble)) from None
    return Response(picture, media_type="image/png", headers=headers)


async def edit_page(desk: Desk) -> Response:
    """The form of a version."""
    row = await desk.read(views.version, _id(desk))
    return _edit_form(desk, row, await desk.read(row_by_id, VERSIONS, row["id"]))


def _edit_form(
    desk: Desk, row: dict[str, Any], shown: dict[str, Any], status: int = 200, trouble: str = ""
) -> Response:
    stored = {column.name: row[column.name] for column in VERSIONS.columns}
    back = inner_address(desk.form.get("back") or desk.request.query_params.get("back", ""))
    return desk.page(
        "edit.html", status, version=row, shown=shown, seen=state_of(stored), trouble=trouble, back=back
    )


async def edit(desk: Desk) -> Response:
    """Save the form of a version."""
    version_id, values = _id(desk), form_values(desk.form)
    who, now_ms = desk.visitor.name, await desk.office.now_ms()
    row = await desk.read(views.version, version_id)
    try:
        is_new = await desk.read(save, version_id, values, desk.form.get("seen", ""), who, now_ms)
    except ChangedMeanwhile:
        row = await desk.read(views.version, version_id)
        sentence = (
            "Somebody changed this version while you had the form open. Nothing of yours was saved. "
            "The form now shows what is stored; look at the changes below it, then decide again."
        )
        return _edit_form(desk, row, row, 409, sentence)
    except Invalid as error:
        wrong = "; ".join(f"{name} {', '.join(texts)}" for name, texts in error.info.items())
        return _edit_form(desk, row, {**row, **values}, 422, f"Not saved: {wrong}.")
    state = "in use" if values["flg_deployed"] and values["flg_good_quality"] else "disabled"
    desk.visitor.session.message = (
        f"Saved: {row['name']} of {row['device']} is {state}." if is_new else "Nothing was different."
    )
    return RedirectResponse(inner_address(desk.form.get("back", "")), 303)


async def constant(desk: Desk) -> Response:
    """One constant with all its versions."""
    row = await desk.read(views.constant, _id(desk))
    given = read_filters(desk.request.query_params)
    filters = Filters(
        **{name: getattr(given, name) for name in ("unit", "sort", "order", "page", "size")},
        constant=str(row["id"]),
    )
    rows, total = await desk.read(listing.page, filters)
    newest = max(rows, key=lambda r: r["begin_at"], default=None)
    return desk.page(
        "constant.html",
        constant=row,
        rows=rows,
        filters=filters,
        newest=newest,
        paging=_paging(filters, total),
        look=read_look(desk.request.query_params),
    )


async def condition(desk: Desk) -> Response:
    """One condition with its parameters."""
    return desk.page("condition.html", condition=await desk.read(views.condition, _id(desk)))


async def units(desk: Desk) -> Response:
    """All devices."""
    if (clean := _without_empty(desk)) is not None:
        return clean
    filters = read_filters(desk.request.query_params)
    rows, total = await desk.read(views.units, filters)
    return desk.page("units.html", rows=rows, filters=filters, paging=_paging(filters, total))


async def unit(desk: Desk) -> Response:
    """One device with the history of its places."""
    return desk.page("unit.html", unit=await desk.read(views.unit, _id(desk)))


async def changes(desk: Desk) -> Response:
    """The history of all changes."""
    if (clean := _without_empty(desk)) is not None:
        return clean
    filters = read_filters(desk.request.query_params)
    rows, total = await desk.read(views.changes, filters)
    return desk.page(
        "changes.html",
        422 if filters.wrong else 200,
        rows=rows,
        filters=filters,
        tables=await desk.read(views.audited_tables),
        paging=_paging(filters, total),
    )


async def _subject(desk: Desk, row: dict[str, Any]) -> Subject:
    constant_row = await desk.read(row_by_id, CONSTANTS, row["calibration_constant_id"])
    calibration = await desk.read(row_by_id, CALIBRATIONS, constant_row["calibration_id"])
    history = await desk.read(
        views.siblings, constant_row["id"], row["physical_detector_unit_id"], MOST_HISTORY
    )
    return Subject(row, calibration, history)


def _id(desk: Desk) -> int:
    text = desk.request.path_params["id"]
    if not is_id(text):
        raise HTTPException(404, "the catalogue holds no such entry")
    return int(text)


def _without_empty(desk: Desk) -> Response | None:
    """A form sends its empty fields, too; the address that people share should not hold them."""
    given = desk.request.query_params.multi_items()
    kept = [(name, value) for name, value in given if value.strip()]
    if len(kept) == len(given):
        return None
    query = urlencode(kept)
    return RedirectResponse(desk.request.url.path + (f"?{query}" if query else ""), 303)


def _paging(filters: Filters, total: int) -> dict[str, int]:
    pages = max(1, -(-total // filters.rows))
    return {"total": total, "pages": pages, "page": filters.number}


PAGES: Final[list[tuple[str, str, Page, str]]] = [
    ("GET", "/versions", versions, "read"),
    ("GET", "/versions.csv", versions_csv, "read"),
    ("GET", "/versions/{id}", version, "read"),
    ("GET", "/versions/{id}/plots/{plot}.png", plot, "read"),
    ("GET", "/versions/{id}/edit", edit_page, "edit"),
    ("POST", "/versions/{id}/edit", edit, "edit"),
    ("GET", "/constants/{id}", constant, "read"),
    ("GET", "/conditions/{id}", condition, "read"),
    ("GET", "/units", units, "read"),
    ("GET", "/units/{id}", unit, "read"),
    ("GET", "/changes", changes, "read"),
]
"""Method, path, page, and the role that it needs."""
