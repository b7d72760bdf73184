"""The pages of the back office: what they list, how they narrow it, what an edit does, what is recorded."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import httpx
import pytest


def names(page: str) -> list[str]:
    """The devices of the rows of a list, in order."""
    return re.findall(r'<td data-label="Physical device"><a [^>]*>([^/]*)</a>', page.replace("<wbr>", ""))


def found(page: str) -> int:
    """How many changes a page says there are."""
    told = re.search(r"<b>(\d+)</b> changes? found", page)
    assert told is not None
    return int(told[1])


async def three(office: Any) -> list[int]:
    """Three versions: of the modules 100, 101 and 103, on three days."""
    constant = await office.constant()
    days = ("2026-01-05T09:00:00", "2026-01-06T23:30:00", "2026-01-08T09:00:00")
    return [
        await office.version(constant, day, pdu, raw_data_location=f"runs {pdu}")
        for pdu, day in zip((1, 2, 4), days, strict=True)
    ]


async def test_the_list_has_the_columns_of_the_operation_guide(office: Any, anna: Any) -> None:
    await three(office)
    page = await anna.get("/versions")
    assert re.findall(r"<th scope=\"col\"[^>]*><a [^>]*>([\w ]+?)(?: <span|</a>)", page) == [
        "Name",
        "File name",
        "Calibration constant",
        "Physical device",
        "Start date",
        "Start idx",
        "End idx",
        "Raw data location",
        "Deployed",
        "Good quality",
    ]
    assert names(page) == ["AGIPD_SIM_M103", "AGIPD_SIM_M101", "AGIPD_SIM_M100"], "the newest first"


FILTERED = [
    ("device=agipd", [103, 101, 100]),
    ("device=M103+Agipd", [103]),
    ("device=agpid-sim-103", [103]),
    ("device=SPB+Q1M2", [101]),
    ("device=AGIPD03", [103]),
    ("device=M110", []),
    ("calibration=1", [103, 101, 100]),
    ("calibration=2", []),
    ("type=2", [103, 101, 100]),
    ("type=1", []),
    ("since=2026-01-06", [103, 101]),
    ("until=2026-01-06", [101, 100]),
    ("since=2026-01-06&until=2026-01-06", [101]),
    ("deployed=no", [100]),
    ("good=no", []),
    ("deployed=yes&good=yes", [103, 101]),
    ("sort=device&order=up", [100, 101, 103]),
    ("sort=raw&order=down", [103, 101, 100]),
    ("size=25&page=2", []),
]


async def test_filters_narrow_and_sort(office: Any, anna: Any) -> None:
    first, *_ = await three(office)
    await office.rest.put(
        f"calibration_constant_versions/{first}",
        json={"calibration_constant_version": {"flg_deployed": False}},
    )
    for query, modules in FILTERED:
        page = await anna.get(f"/versions?{query}")
        assert names(page) == [f"AGIPD_SIM_M{module}" for module in modules], query


async def test_an_address_holds_the_state_and_nothing_else(office: Any, anna: Any, stranger: Any) -> None:
    await three(office)
    answer = await anna.http.get("/versions?device=m101&calibration=&since=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/versions?device=m101")
    # Who gets the address by post logs in and sees the same.
    answer = await stranger.http.get("/versions?device=m101")
    login = await stranger.fields(answer.headers["location"])
    answer = await stranger.send("/login", **{**login, "name": "rolf", "password": "a password of tests"})
    assert names(await stranger.get(answer.headers["location"])) == ["AGIPD_SIM_M101"]


async def test_what_cannot_be_read_in_an_address_is_told(anna: Any) -> None:
    page = await anna.get("/versions?since=yesterday&calibration=x&deployed=maybe", 422)
    assert "“yesterday” is no day for “from”" in page
    assert "“x” is no number" in page
    assert "“maybe” is neither yes nor no" in page
    assert (await anna.http.get("/versions.csv?since=yesterday")).status_code == 422


async def test_pages_turn_without_losing_the_filter(office: Any, anna: Any) -> None:
    constant = await office.constant()
    for second in range(30):
        await office.version(constant, f"2026-01-05T09:00:{second:02d}")
    page = await anna.get("/versions?device=agipd&size=25")
    assert "Page 1 of 2" in page
    onward = re.search(r'rel="next" href="([^"]*)"', page)
    assert onward is not None
    second_page = await anna.get(onward[1].replace("&amp;", "&"))
    assert "Page 2 of 2" in second_page
    assert len(names(page)) == 25
    assert len(names(second_page)) == 5


async def test_the_export_is_the_filtered_list(office: Any, rolf: Any) -> None:
    constant = await office.constant()
    for second in range(30):
        await office.version(constant, f"2026-01-05T09:00:{second:02d}")
    formula = '=HYPERLINK("http://example.org")'
    await office.version(constant, "2026-01-06T09:00:00", 2, raw_data_location=formula, name="+1")
    await office.version(constant, "2026-01-06T09:00:00", 3, raw_data_location=" @x", file_name="-2")
    answer = await rolf.http.get("/versions.csv?device=agipd&sort=start&order=up&size=25")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 32, "all pages"
    assert rows[0]["Start date"] == "2026-01-05T09:00:00.000+01:00"
    assert (rows[30]["Name"], rows[30]["Raw data location"]) == ("'+1", f"'{formula}")
    assert (rows[31]["File name"], rows[31]["Raw data location"]) == ("'-2", "' @x")
    assert (rows[0]["Deployed"], rows[0]["Start idx"]) == ("yes", "0")
    only = await rolf.http.get("/versions.csv?device=m101")
    assert len(only.text.splitlines()) == 2


async def edit(person: Any, version: int, **boxes: str) -> httpx.Response:
    fields = await person.fields(f"/versions/{version}/edit?back=/versions?device=m100")
    return await person.http.post(f"/versions/{version}/edit", data={**fields, **boxes})


async def test_a_disabled_version_is_found_by_no_lookup_any_more(office: Any, anna: Any) -> None:
    constant = await office.constant()
    old = await office.version(constant, "2026-01-05T09:00:00")
    new = await office.version(constant, "2026-01-06T09:00:00")
    assert [found["id"] for found in await office.lookup()] == [new]
    answer = await edit(anna, new, description="wrong voltage")
    assert answer.headers["location"] == "/versions?device=m100", "back to the list as it was filtered"
    assert [found["id"] for found in await office.lookup()] == [old]
    page = await anna.get("/versions?device=m100")
    assert "is disabled" in page
    assert "is disabled" not in await anna.get("/versions"), "said once"
    await edit(anna, new, flg_deployed="1", description="wrong voltage")
    assert [found["id"] for found in await office.lookup()] == [old], "good quality is missing"
    await edit(anna, new, flg_deployed="1", flg_good_quality="1")
    assert [found["id"] for found in await office.lookup()] == [new]


async def test_two_people_at_one_version_notice_each_other(office: Any, anna: Any) -> None:
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    fields = await anna.fields(f"/versions/{version}/edit")
    body = {"calibration_constant_version": {"flg_good_quality": False}}
    await office.rest.put(f"calibration_constant_versions/{version}", json=body)
    answer = await anna.http.post(
        f"/versions/{version}/edit", data={**fields, "flg_good_quality": "1", "description": "all is well"}
    )
    assert answer.status_code == 409
    assert "Somebody changed this version" in answer.text
    shown = (await office.rest.get(f"calibration_constant_versions/{version}")).json()
    assert (shown["flg_deployed"], shown["flg_good_quality"]) == (True, False)
    assert not shown["description"]
    # The page that tells it is a form to decide anew.
    again = re.search(r'name="seen" value="(\w+)"', answer.text)
    assert again is not None
    await anna.send(f"/versions/{version}/edit", **{**fields, "seen": again[1], "description": "agreed"})
    shown = (await office.rest.get(f"calibration_constant_versions/{version}")).json()
    assert (shown["flg_deployed"], shown["description"]) == (False, "agreed")


async def test_nothing_different_records_nothing_and_too_much_is_refused(office: Any, anna: Any) -> None:
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    await edit(anna, version, flg_deployed="1", flg_good_quality="1")
    assert "Nothing was different" in await anna.get("/versions")
    answer = await edit(anna, version, description="x" * 5000)
    assert answer.status_code == 422
    assert "too long" in answer.text
    page = await anna.get(f"/versions/{version}")
    assert page.count("changed <b>") == 0


async def test_every_change_is_recorded_with_who_and_both_values(office: Any, anna: Any) -> None:
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    await edit(anna, version, flg_good_quality="1", description="first")
    body = {"calibration_constant_version": {"description": "second"}}
    path = f"calibration_constant_versions/{version}"
    await office.rest.put(path, json=body, headers={"X-User-Email": "paul@example.org"})
    history = (await anna.get(f"/versions/{version}")).split("<h2>Changes</h2>")[1]
    rows = re.findall(r"<tr>(.*?)</tr>", history, re.DOTALL)[1:]
    cells = [[re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", row)][1:] for row in rows]
    assert cells == [
        ["REST: paul@example.org", "changed description", "first", "second"],
        ["anna", "changed description", "–", "first"],
        ["anna", "changed deployed", "yes", "no"],
        ["REST: 127.0.0.1", "added", "–", "20260105_090000_sIdx=0"],
    ]
    assert "<b>1</b> change found" in await anna.get("/changes?who=paul")
    assert "<b>1</b> change found" in await anna.get("/changes?field=flg_deployed")
    table = "table=calibration_constant_versions"
    assert "<b>4</b> changes found" in await anna.get(f"/changes?{table}&row={version}")
    assert "<b>0</b> changes found" in await anna.get(f"/changes?{table}&since=2026-01-02")


async def test_a_refused_change_leaves_no_trace(office: Any, anna: Any) -> None:
    constant = await office.constant()
    await office.version(constant, "2026-01-05T09:00:00")
    before = await anna.get("/changes")
    with pytest.raises(AssertionError, match="already been taken"):
        await office.version(constant, "2026-01-05T09:00:00")
    assert found(await anna.get("/changes")) == found(before)


async def test_removing_and_moving_are_recorded(office: Any, anna: Any) -> None:
    report = await office.made("reports", "report", {"name": "dark", "file_path": "/reports/dark.pdf"})
    assert (await office.rest.delete(f"reports/{report['id']}")).status_code == 204
    assert "removed" in await anna.get("/changes?table=reports")
    moved = {"physical_detector_unit": {"karabo_da": "AGIPD20", "virtual_device_name": "Q5M1"}}
    await office.rest.put("physical_detector_units/1", json=moved)
    assert "AGIPD20" in await anna.get("/changes?table=physical_detector_units&row=1")


async def test_a_device_shows_where_it_sat_when(office: Any, anna: Any) -> None:
    await three(office)
    await office.clock.advance(86_400_000_000_000)
    moved = {"physical_detector_unit": {"karabo_da": "AGIPD20", "virtual_device_name": "Q5M1"}}
    await office.rest.put("physical_detector_units/1", json=moved)
    page = await anna.get("/units/1")
    places = re.findall(r'data-label="Aggregator">(\w+)<', page)
    assert places == ["AGIPD20", "AGIPD00"]
    assert re.findall(r'data-label="To" class="moment">([^<]*)<', page) == ["now", "2026-01-02 01:00:00"]
    assert "AGIPD-Type_Offset" in page
    assert "AGIPD_SIM_M100" in await anna.get("/units?device=q5m1")


async def test_a_condition_shows_what_it_allows(office: Any, anna: Any) -> None:
    constant = await office.constant()
    link = re.search(r'href="(/conditions/\d+)"', await anna.get(f"/constants/{constant}"))
    assert link is not None
    page = await anna.get(link[1])
    assert "300 … 305" in page
    assert "exactly 4" in page
    assert "AGIPD-Type_Offset" in page


async def test_a_constant_shows_all_its_versions(office: Any, anna: Any) -> None:
    await three(office)
    other = await office.constant("AGIPD-Type_Noise", 2)
    await office.version(other, "2026-01-05T09:00:00")
    assert len(names(await anna.get("/constants/1"))) == 3
    assert names(await anna.get("/constants/1?unit=4")) == ["AGIPD_SIM_M103"]
    assert names(await anna.get(f"/constants/{other}")) == ["AGIPD_SIM_M100"]


async def test_what_is_not_there_is_a_page(anna: Any) -> None:
    for path in ("versions/99", "constants/-99", "conditions/99", "units/x", "nothing", "versions/1e3"):
        assert "not possible" in await anna.get(f"/{path}", 404), path
    assert "not possible" in await anna.get("/versions/99999999999999999999", 404)
