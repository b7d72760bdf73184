"""The catalogue's manners, one by one: slashes, times, pages, refusals, texts for numbers, who is asking."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sim.caldb.times import format_time, parse_time

NOT_FOUND = {"info": "Resource not found!"}
TAKEN = ["has already been taken"]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A catalogue in a process of its own."""
    store = tmp_path_factory.mktemp("asked") / "caldb"
    command = [sys.executable, "-m", "fat", "caldb", "serve", "--store", store, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            address = json.loads(serving.stdout.readline())["rest"]
            with httpx.Client(base_url=f"{address}/api/", trust_env=False, verify=False) as http:
                yield http
        finally:
            serving.terminate()


def made(api: httpx.Client, path: str, body: str, **fields: Any) -> Any:
    answer = api.post(path, json={body: fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def constant(api: httpx.Client) -> int:
    attributes = [{"parameter_name": "memory CELLS", "value": "4"}]
    body = {"condition": {"name": "c", "parameters_conditions_attributes": attributes}}
    condition = api.post("conditions/set_expected_condition", json=body).json()
    ids = {"detector_type_id": "2", "calibration_id": "1", "condition_id": str(condition["id"])}
    return int(made(api, "calibration_constants/", "calibration_constant", name="cc", **ids)["id"])


def version(api: httpx.Client, constant: int, begin_at: str, pdu: int = 1, **more: Any) -> Any:
    fields = {
        "file_name": "cal.1.h5",
        "path_to_file": "xfel/cal/agipd-type/agipd_sim_m100/",
        "data_set_name": "/AGIPD_SIM_M100/Offset/0",
        "calibration_constant_id": constant,
        "physical_detector_unit_id": pdu,
        "begin_at": begin_at,
        **more,
    }
    return made(api, "calibration_constant_versions/", "calibration_constant_version", **fields)


@pytest.mark.parametrize("form", ["{}", "{}/", "/{}", "{}//", "//{}/"])
@pytest.mark.parametrize(
    "path", ["me", "detectors", "reports", "physical_detector_units/get_all_by_detector"]
)
def test_slashes_do_not_matter(api: httpx.Client, form: str, path: str) -> None:
    for asked in (path, path.replace("/", "//")):
        answer = api.get(f"{api.base_url}{form.format(asked)}", params={"detector_id": 1})
        assert answer.status_code == 200, answer.request.url


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-03-29T00:59:59Z", "2026-03-29T01:59:59.000+01:00"),
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00.000+02:00"),
        ("2026-03-29T02:30:00", "2026-03-29T03:30:00.000+02:00"),  # an hour that Berlin leaves out
        ("2026-10-25T00:59:59.9999Z", "2026-10-25T02:59:59.999+02:00"),
        ("2026-10-25T01:00:00Z", "2026-10-25T02:00:00.000+01:00"),
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00.000+02:00"),  # an hour that Berlin has twice: the first
        ("2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00.000+01:00"),
        ("2026-07-01 12:00:00", "2026-07-01T12:00:00.000+02:00"),
        ("2026-07-01 12:00", "2026-07-01T12:00:00.000+02:00"),
        ("2026-07-01T12:00:00 02:00", "2026-07-01T12:00:00.000+02:00"),  # a plus that nobody escaped
        ("20260701T100000-0500", "2026-07-01T17:00:00.000+02:00"),
        ("2013-10-17T00:52:41+03:00", "2013-10-16T23:52:41.000+02:00"),
    ],
)
def test_times_are_those_of_berlin(api: httpx.Client, constant: int, given: str, shown: str) -> None:
    assert format_time(parse_time(given)) == shown
    found = api.get(
        f"calibration_constants/{constant}/get_version",
        params={"physical_detector_unit_id": 2, "event_at": shown},
    )
    if found.status_code == 404:
        entry = version(api, constant, given, pdu=2)
        assert (entry["begin_at"], entry["begin_validity_at"]) == (shown, shown)
        assert entry["name"] == f"{shown[:19].replace('-', '').replace('T', '_').replace(':', '')}_sIdx=0"
        query = {"physical_detector_unit_id": 2, "event_at": given}
        again = api.get(f"calibration_constants/{constant}/get_version", params=query)
        assert again.json()["id"] == entry["id"]


def test_who_asks_is_shown(api: httpx.Client) -> None:
    shown = api.get("me", headers={"X-User-Email": "luise.von-berg@example.org"}).json()
    assert (shown["email"], shown["first_name"], shown["uid"]) == (
        "luise.von-berg@example.org",
        "Luise",
        "von-bergl",
    )
    for header in (
        {},
        {"X-User-Email": ""},
        {"X-User-Email": "no address"},
        {"X-User-Email": "a@" + "b" * 300},
    ):
        assert api.get("me", headers=header).json()["email"] == "bench@localhost"
    assert set(shown) == {
        *("id", "email", "provider", "contact_email", "name", "first_name", "last_name", "nickname", "uid"),
        *("ldap_synced_at", "flg_service_account", "flg_ldap_account_valid", "roles"),
    }


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, (1, 100, 1, 19)),
        ({"page": "2", "page_size": "10"}, (2, 10, 2, 9)),
        ({"page": 3, "page_size": 10}, (2, 10, 3, 0)),
        ({"page": "", "page_size": 1000}, (1, 500, 1, 19)),
        ({"name": "Nothing"}, (0, 100, 1, 0)),
    ],
)
def test_pages(api: httpx.Client, query: dict[str, Any], shown: tuple[int, ...]) -> None:
    answer = api.get("calibrations/", params=query)
    names = ("X-Total-Pages", "X-Count-Per-Page", "X-Current-Page")
    assert (*(int(answer.headers[name]) for name in names), len(answer.json())) == shown
    assert answer.headers["X-Total-Count"] == ("0" if "name" in query else "19")


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"page": "x"}, {"page_size": 0}, {"page_size": -1}, {"page": 2**40}]
)
def test_pages_that_are_none(api: httpx.Client, query: dict[str, Any]) -> None:
    answer = api.get("detectors", params=query)
    assert answer.status_code == 422
    assert set(answer.json()["info"]) == set(query)


ABSENT = (
    "detectors/99",
    "detectors/-7",
    f"detectors/{2**70}",
    "calibration_constant_versions/99",
    "physical_detector_units/99",
    "physical_detector_units/get_all_by_detector?detector_id=99",
    "conditions/99",
    "calibrations/1/get_calibration_constant?detector_type_id=2&condition_id=99",
    "calibration_constants/99/get_version?physical_detector_unit_id=1",
    "calibration_constants/99/get_prior_in_time_version?physical_detector_unit_id=1",
    "calibration_constants/99/get_closest_version?physical_detector_unit_id=1",
    "calibration_constants/99/get_closest_version_by_detector?detector_id=1",
    "detectors/1/nothing",
    "nothing",
)


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_there_is_404(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_no_possible_condition_is_404_and_no_version_an_empty_list(api: httpx.Client) -> None:
    wanted = {"parameters_conditions_attributes": [{"parameter_id": "4", "value": "1"}]}
    for name in ("get_possible_conditions", "get_expected_condition"):
        answer = api.request("GET", f"conditions/{name}", json={"condition": wanted})
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    query = {"detector_identifier": "SPB_DET_AGIPD1M-1", "calibration_id": "[1]"}
    path = "calibration_constant_versions/get_by_detector_conditions"
    answer = api.request("GET", path, params=query, json=wanted)
    assert (answer.status_code, answer.json()) == (200, [])


def test_a_method_that_a_path_lacks_is_405_and_says_which_it_has(api: httpx.Client) -> None:
    for method, path, allowed in (
        ("DELETE", "calibration_constant_versions/1", {"GET", "HEAD", "PUT"}),
        ("PATCH", "detectors", {"GET", "HEAD", "POST"}),
        ("POST", "me", {"GET", "HEAD"}),
    ):
        answer = api.request(method, path)
        assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, allowed)
    assert api.head("me").content == b""


@pytest.mark.parametrize(
    ("path", "body", "longest"),
    [
        ("detectors", "detector", 64),
        ("reports", "report", 64),
        ("calibration_constants", "calibration_constant", 255),
        ("calibrations", "calibration", 60),
        ("parameters", "parameter", 60),
        ("detector_types", "detector_type", 60),
        ("calibration_constant_versions", "calibration_constant_version", 60),
    ],
)
def test_names_have_a_longest(api: httpx.Client, path: str, body: str, longest: int) -> None:
    refused = api.post(path, json={body: {"name": "n" * (longest + 1)}})
    assert refused.status_code == 422
    assert refused.json()["info"]["name"] == [f"is too long (maximum is {longest} characters)"]
    refused = api.post(path, json={body: {"name": "n" * longest}})
    assert "name" not in refused.json().get("info", {})


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("detectors/1", "detector", {"identifier": "other"}),
        ("physical_detector_units/1", "physical_detector_unit", {"physical_name": "other"}),
        ("parameters/2", "parameter", {"name": "other", "flg_text": True}),
        ("calibrations/2", "calibration", {"name": "other"}),
    ],
)
def test_some_fields_stay_as_they_are(
    api: httpx.Client, path: str, body: str, fields: dict[str, Any]
) -> None:
    before = api.get(path).json()
    refused = api.put(path, json={body: fields})
    assert (refused.status_code, refused.json()["info"]) == (
        422,
        {name: ["cannot be updated"] for name in fields},
    )
    same = api.put(path, json={body: {name: before[name] for name in fields}})
    assert (same.status_code, same.json()) == (200, before)


def test_all_that_is_taken_is_told_at_once(api: httpx.Client) -> None:
    unit = {"physical_name": "AGIPD_SIM_M100", "karabo_da": "AGIPD00", "uuid": "1100001"}
    body = {"physical_detector_unit": {**unit, "detector_id": 1, "detector_type_id": 2}}
    refused = api.post("physical_detector_units", json=body)
    assert (refused.status_code, refused.json()["info"]) == (422, dict.fromkeys(unit, TAKEN))
    refused = api.post("calibrations", json={"calibration": {"name": "Offset"}})
    assert refused.json()["info"] == {"name": TAKEN, "unit": TAKEN}


def test_a_version_is_changed_and_fields_are_emptied(api: httpx.Client, constant: int) -> None:
    entry = version(
        api, constant, "2025-01-01T00:00:00Z", pdu=3, start_idx="1", flg_deployed="false", report_id=""
    )
    assert (entry["start_idx"], entry["flg_deployed"], entry["report_id"]) == (1, False, None)
    path, body = f"calibration_constant_versions/{entry['id']}", "calibration_constant_version"
    changed = api.put(path, json={body: {"description": "bad", "end_idx": 2, "flg_deployed": 1}}).json()
    assert (changed["description"], changed["end_idx"], changed["flg_deployed"]) == ("bad", 2, True)
    emptied = api.put(
        path, json={body: {"description": None, "end_idx": None, "flg_good_quality": None}}
    ).json()
    assert (emptied["description"], emptied["end_idx"], emptied["flg_good_quality"]) == (None, None, True)


def test_the_closest_versions_of_a_detector(api: httpx.Client, constant: int) -> None:
    entries = [
        version(api, constant, f"2024-01-0{day}T00:00:00Z", pdu=pdu) for pdu in (5, 6) for day in (1, 3)
    ]
    path = f"calibration_constants/{constant}/get_closest_version_by_detector"
    query = {"calibration_constant_ids": f"[{constant}, 99]", "detector_id": "1", "snapshot_at": ""}
    found = api.get(path, params={**query, "event_at": "2024-01-02T23:00:00+00:00", "karabo_da": ""}).json()
    ids = {entry["id"] for entry in found}
    assert ids >= {entries[1]["id"], entries[3]["id"]}
    assert not ids & {entries[0]["id"], entries[2]["id"]}
    (one,) = api.get(
        path, params={**query, "event_at": "2024-01-01T00:00:00Z", "karabo_da": "AGIPD05"}
    ).json()
    assert one["id"] == entries[2]["id"]


def test_the_description_is_served(api: httpx.Client) -> None:
    served = api.get("openapi.json").json()
    assert served["openapi"] == "3.1.0"
    assert "/api/calibration_constant_versions/get_by_detector_conditions" in served["paths"]
