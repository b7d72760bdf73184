"""Trends: what tasks report, what a crash tears, and what counts after a run was put back."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from scheduler import trends
from scheduler.trends import MOST_TEXT, TRENDS_NAME, Point, TrendReader, append_point, as_csv, shown


def point(clock_s: float, value: float, name: str = "box", **more: float) -> Point:
    return Point(clock_s, "watch", "Temperatures", name, value, "°C", more.get("low"), more.get("high"))


def test_points_come_back_as_they_were_reported(tmp_path: Path) -> None:
    assert append_point(tmp_path, point(1.0, -40.25, low=-42.0, high=-38.0))
    reader = TrendReader(tmp_path)
    reader.read()
    assert append_point(tmp_path, point(2.0, -30.5, low=-42.0))
    assert append_point(tmp_path, point(2.0, 21.0, "room"))
    reader.read()
    box, room = reader.series.values()
    assert (box.group, box.unit, box.low, box.high) == ("Temperatures", "°C", -42.0, None)
    assert shown(box) == [(1.0, -40.25), (2.0, -30.5)]
    assert shown(room) == [(2.0, 21.0)]
    rows = list(csv.reader((tmp_path / TRENDS_NAME).read_text().splitlines()))
    assert rows[0] == list(trends.COLUMNS)
    assert rows[1][2:] == ["watch", "Temperatures", "box", "-40.25", "°C", "-42.0", "-38.0"]


def test_a_torn_line_hides_nothing_after_it(tmp_path: Path) -> None:
    append_point(tmp_path, point(1.0, 1.0))
    with (tmp_path / TRENDS_NAME).open("ab") as file:
        file.write(b"17000.0,2.0,watch,Temp")
    reader = TrendReader(tmp_path)
    reader.read()
    append_point(tmp_path, point(3.0, 3.0))
    reader.read()
    (box,) = reader.series.values()
    assert shown(box) == [(1.0, 1.0), (3.0, 3.0)]
    assert reader.left_out == 1


def test_what_a_killed_task_wrote_is_shown_once_when_the_bench_was_put_back(tmp_path: Path) -> None:
    for at, clock_s, value in [
        (100, 10, 1.0),
        (101, 11, 2.0),
        (102, 12, 3.0),
        (205, 11, 2.0),
        (206, 13, 4.0),
    ]:
        append_point(tmp_path, point(clock_s, value), at=at)
    reader = TrendReader(tmp_path)
    reader.read()
    (box,) = reader.series.values()
    assert shown(box, [(90, 0), (200, 11)]) == [(10, 1.0), (11, 2.0), (13, 4.0)]
    assert shown(box, [(90, 0), (200, 12.5)]) == [(10, 1.0), (11, 2.0), (12, 3.0), (13, 4.0)]


def test_hostile_points_stay_one_short_line_and_gaps_are_gaps(tmp_path: Path) -> None:
    append_point(tmp_path, point(1.0, math.inf, "a\nb\x1b[31m,\"'" + "x" * 10_000))
    with (tmp_path / TRENDS_NAME).open("ab") as file:
        file.write(b"nan,nan,a,b,c,1,d,,\n1,2,3\n\xff\xfe,1,a,b,c,1,d,,\n")
    reader = TrendReader(tmp_path)
    reader.read()
    ((key, series),) = reader.series.items()
    assert math.isnan(shown(series)[0][1])
    assert len(key[2]) == MOST_TEXT
    assert not {"\x1b", "\n"} & set(key[2])
    assert reader.left_out == 3
    append_point(tmp_path, point(2.0, 1.0, "=1+1"))
    reader.read()
    assert ",'=1+1," in "".join(as_csv(reader.series.values()))


def test_a_full_file_and_a_full_disk_end_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert append_point(tmp_path, point(1.0, 1.0))
    monkeypatch.setattr(trends, "MOST_BYTES", 10)
    assert not append_point(tmp_path, point(2.0, 1.0))
    assert not append_point(tmp_path / "nowhere", point(2.0, 1.0))


def test_series_beyond_the_most_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trends, "MOST_SERIES", 2)
    for n in range(4):
        append_point(tmp_path, point(1.0, n, f"series {n}"))
    reader = TrendReader(tmp_path)
    reader.read()
    assert len(reader.series) == reader.left_out == 2
