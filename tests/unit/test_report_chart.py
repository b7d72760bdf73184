"""Charts of reports: where values and ticks are, what is left out, and the same marks in page and PDF."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fat.report.axis import axis_of
from fat.report.chart import Chart, Panel, Series
from fat.report.document import Cell, Document, Section, Table
from fat.report.html import as_html
from fat.report.panel import LEFT, RIGHT, WIDE, Dots, Stroke, Word, laid_out
from fat.report.pdf import as_pdf
from fat.report.svg import as_svg

X = np.array([0.0, 1.0, 2.0, 3.0])
PANEL = Panel("title", "x / s", "y / V", (Series(X, np.array([1.0, 2.0, np.nan, 4.0]), label="told"),))


def words(panel: Panel) -> list[str]:
    return [mark.text for mark in laid_out(panel).marks if isinstance(mark, Word)]


@pytest.mark.parametrize(
    ("values", "log", "texts"),
    [
        ((0.0, 10.0), False, ["0", "5", "10"]),
        ((-44.0, 21.0), False, ["−40", "−20", "0", "20"]),
        ((1e7, 3e7), False, ["10⁷", "2·10⁷", "3·10⁷"]),
        ((1.0, 90.0), True, ["1", "2", "5", "10", "20", "50", "100"]),
        ((1.0, 1e8), True, ["10⁰", "10²", "10⁴", "10⁶", "10⁸"]),
        ((1300.0, 1500.0), True, ["1300", "1400", "1500"]),
        ((5.0, 5.0), False, ["4.5", "5", "5.5"]),
        ((float("nan"),), False, ["0", "0.25", "0.5", "0.75", "1"]),
        ((0.0, -1.0), True, ["1", "2", "5", "10"]),
    ],
)  # fmt: skip
def test_ticks_are_round_numbers_within_the_axis(
    values: tuple[float, ...], log: bool, texts: list[str]
) -> None:
    axis = axis_of([np.array(values)], log=log)
    ticks = axis.ticks(4)
    assert [text for _, text in ticks] == texts
    places = [place for place, _ in ticks]
    assert places == sorted(places)
    assert all(-1e-6 <= place <= 1 + 1e-6 for place in places)


def test_what_has_no_place_is_left_out_and_the_rest_is_within_the_axes() -> None:
    strokes = [m for m in laid_out(PANEL).marks if isinstance(m, Stroke) and m.tone == "blue"]
    curve = strokes[-1].points
    assert len(curve) == 3
    assert curve[:, 0].min() >= LEFT
    assert curve[:, 0].max() <= WIDE - RIGHT
    assert (np.diff(curve[:, 1]) < 0).all()  # what grows rises
    logarithmic = replace(PANEL, y_log=True, series=(Series(X, np.array([0.0, 1.0, 10.0, 100.0])),))
    (line,) = [m for m in laid_out(logarithmic).marks if isinstance(m, Stroke) and m.tone == "blue"]
    assert np.allclose(np.diff(line.points[:, 1], 2), 0)


def test_a_limit_is_always_within_the_axis() -> None:
    laid = laid_out(replace(PANEL, limits=(1000.0,)))
    (limit,) = [m for m in laid.marks if isinstance(m, Stroke) and m.tone == "pink"]
    assert 0 < limit.points[0, 1] < laid.high
    assert "1000" in words(replace(PANEL, limits=(1000.0,)))


def test_a_legend_takes_the_rows_that_it_needs() -> None:
    many = replace(PANEL, series=tuple(Series(X, X, label=f"a long name of series {i}") for i in range(6)))
    named = [m for m in laid_out(many).marks if isinstance(m, Word) and m.text.startswith("a long")]
    assert len(named) == 6
    assert laid_out(many).high > laid_out(PANEL).high
    assert max(word.y for word in named) < laid_out(many).high - 130


@pytest.mark.parametrize("kind", ["line", "points", "steps"])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_series_is_drawn_in_page_and_pdf(kind: str, count: int) -> None:
    edges = np.arange(count + 1.0) if kind == "steps" else np.arange(float(count))
    y = np.full(count, np.nan) if count == 1 else np.arange(float(count))
    series = Series(edges, y, kind, error=np.ones(count), filled=True)  # type: ignore[arg-type]
    panel = Panel("<b>", "x & y", '"', (series,), x_log=True)
    assert "<b>" not in as_svg(panel)
    document = Document("t", "k", "PASS", "s", (), (Section("a", "A", (Chart("c", "d", (panel,)),)),))
    assert as_pdf(document).startswith(b"%PDF-1.")


def test_page_and_pdf_lay_a_panel_out_once() -> None:
    panels = tuple(replace(PANEL, title=f"panel {i}") for i in range(30))
    document = Document("t", "k", "PASS", "s", (), (Section("a", "A", (Chart("c", "d", panels),)),))
    before = laid_out.cache_info().misses
    page = as_html(document).decode()
    as_pdf(document)
    assert page.count("<svg") == 30
    assert laid_out.cache_info().misses == before + 30


def test_dots_are_one_element_however_many_there_are() -> None:
    panel = replace(PANEL, series=(Series(np.arange(500.0), np.arange(500.0), "points"),))
    assert sum(isinstance(mark, Dots) for mark in laid_out(panel).marks) == 1
    assert len(re.findall("<path", as_svg(panel))) == 1


def test_a_long_table_is_folded_in_the_page_and_left_out_of_the_pdf() -> None:
    rows = tuple((Cell(f"row {i}"), Cell("value")) for i in range(400))
    parts = (Table(("a", "b"), rows, fold="All values"),)
    document = Document("t", "k", "PASS", "s", (), (Section("a", "A", parts),))
    page = as_html(document).decode()
    assert re.search(r"<details><summary>All values.*400 rows", page)
    assert "row 399" in page
    assert as_pdf(document).count(b"/Type /Page\n") == 1
    plain = replace(document, sections=(Section("a", "A", (replace(parts[0], fold=""),)),))
    assert as_pdf(plain).count(b"/Type /Page\n") > 5
