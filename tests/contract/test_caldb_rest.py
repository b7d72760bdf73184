"""The catalogue's REST interface over real sockets, in process, on a clock that the test moves."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sim.caldb.kind import KIND
from sim.caldb.store import StoreDamaged
from sim.errors import AddressTaken
from sim.kernel import FaultBoard, Surroundings, Transcript
from sim.kernel.clock import ManualClock, manual_clock

DAY_NS = 86_400_000_000_000
VOLTAGE = {"parameter_name": "sensor BIAS voltage", "value": 300.0, "upper_deviation_value": 5.0}
CELLS = {"parameter_name": "Memory Cells", "value": "4"}
TAKEN = ["has already been taken"]


@dataclass
class Rest:
    http: httpx.AsyncClient
    clock: ManualClock
    faults: FaultBoard
    store: Path
    url: str

    async def get(self, path: str, status: int = 200, body: Any = None, **query: Any) -> Any:
        answer = await self.http.request("GET", path, params=query, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, status: int = 201) -> Any:
        answer = await self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        answer = await self.http.put(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def condition(self, *parameters: dict[str, Any], name: str = "c", status: int = 201) -> Any:
        body = {"condition": {"name": name, "parameters_conditions_attributes": list(parameters)}}
        return await self.post("conditions/set_expected_condition", body, status)

    async def constant(self, condition: dict[str, Any], calibration_id: int = 1, status: int = 201) -> Any:
        body = {
            "name": f"AGIPD-Type_{calibration_id}_{condition['name']}",
            "detector_type_id": 2,
            "calibration_id": calibration_id,
            "condition_id": condition["id"],
        }
        return await self.post("calibration_constants/", {"calibration_constant": body}, status)

    async def version(
        self, constant: dict[str, Any], begin_at: str, pdu: int = 1, status: int = 201, **more: Any
    ) -> Any:
        body = {
            "file_name": "cal.1.0.h5",
            "path_to_file": "xfel/cal/agipd-type/agipd_sim_m100/",
            "data_set_name": "/AGIPD_SIM_M100/Offset/0",
            "calibration_constant_id": constant["id"],
            "physical_detector_unit_id": pdu,
            "begin_at": begin_at,
            **more,
        }
        body = {"calibration_constant_version": body}
        return await self.post("calibration_constant_versions", body, status)

    async def lookup(self, event_at: str, strategy: str = "prior", status: int = 200, **more: Any) -> Any:
        query = {
            "detector_identifier": "SPB_DET_AGIPD1M-1",
            "calibration_id": "[1, 2]",
            "karabo_da": "",
            "event_at": event_at,
            "begin_at_strategy": strategy,
            **more,
        }
        body = {"parameters_conditions_attributes": [VOLTAGE, CELLS]}
        path = "calibration_constant_versions/get_by_detector_conditions"
        return await self.get(path, status, body, **query)


Opener = Callable[..., Any]


@pytest.fixture
def opener(tmp_path: Path, caldb_database: str) -> Opener:
    @asynccontextmanager
    async def opened(**table: Any) -> AsyncIterator[Rest]:
        table = {"database": caldb_database, **table}
        clock, faults = manual_clock(), FaultBoard("caldb", KIND.faults)
        around = Surroundings("caldb", 1, tmp_path, clock, {}, faults, Transcript(None, lambda: 0))
        servers = KIND.build(around, KIND.config.model_validate(table))
        addresses = {name: await server.start() for name, server in servers.items()}
        try:
            async with httpx.AsyncClient(
                base_url=addresses["rest"] + "/api/", trust_env=False, verify=False, timeout=60
            ) as http:
                yield Rest(http, clock, faults, Path(addresses["store"]), addresses["rest"])
        finally:
            for server in servers.values():
                await server.stop()
                await server.stop()

    return opened


@pytest.fixture
async def rest(opener: Opener) -> AsyncIterator[Rest]:
    async with opener() as opened:
        yield opened


async def test_a_detector_has_its_sixteen_modules(rest: Rest) -> None:
    (detector,) = await rest.get("detectors", identifier="SPB_DET_AGIPD1M-1")
    units = await rest.get("physical_detector_units//get_all_by_detector/", detector_id=detector["id"])
    assert [u["physical_name"] for u in units] == [f"AGIPD_SIM_M{100 + n}" for n in range(16)]
    assert [u["karabo_da"] for u in units] == [f"AGIPD{n:02d}" for n in range(16)]
    assert [u["virtual_device_name"] for u in units[:5]] == ["Q1M1", "Q1M2", "Q1M3", "Q1M4", "Q2M1"]
    assert units[0]["detector"]["identifier"] == "SPB_DET_AGIPD1M-1"
    assert units[0]["detector_type"] == {
        "id": 2,
        "name": "AGIPD-Type",
        "flg_available": True,
        "description": "",
    }
    # The worked example of the public catalogue: UUID 1100001 read as a double.
    assert units[0]["uuid"] == 1100001
    assert math.isclose(units[0]["float_uuid"], 5.434727e-318, rel_tol=1e-5)


@pytest.mark.parametrize(
    ("path", "name", "number"),
    [
        ("calibrations", "ThresholdsDark", 11),
        ("calibrations", "SlopesCS", 52),
        ("detector_types", "DSSC-Type", 7),
        ("parameters", "Feedback capacitor", 15),
        ("parameters", "Memory cell order", 30),
        ("parameters", "Detector UUID", 12),
    ],
)
async def test_known_ids_are_those_of_the_real_catalogue(
    rest: Rest, path: str, name: str, number: int
) -> None:
    assert [row["id"] for row in await rest.get(path, name=name)] == [number]


async def test_a_condition_is_stored_once(rest: Rest) -> None:
    first = await rest.condition(VOLTAGE, CELLS)
    assert first["num_parameters"] == 2
    assert (await rest.condition(CELLS, VOLTAGE, name="other", status=200))["id"] == first["id"]
    assert (await rest.get(f"conditions/{first['id']}"))["parameters_conditions"][0]["value"] == 300.0
    refused = await rest.condition(VOLTAGE, name="c", status=422)
    assert refused == {"info": {"name": TAKEN}}
    body = {"condition": {"parameters_conditions_attributes": [{**VOLTAGE, "value": 305.0}, CELLS]}}
    assert [c["id"] for c in await rest.get("conditions/get_possible_conditions", body=body)] == [first["id"]]
    await rest.get("conditions/get_expected_condition", 404, body)


async def test_what_is_taken_is_named_by_field(rest: Rest) -> None:
    condition = await rest.condition(VOLTAGE, CELLS)
    constant = await rest.constant(condition)
    refused = await rest.constant(condition, status=422)
    assert refused["info"] == dict.fromkeys(("name", "detector_type", "calibration", "condition"), TAKEN)
    await rest.version(constant, "2026-01-01T00:00:00Z")
    refused = await rest.version(constant, "2026-01-01T01:00:00+01:00", status=422)
    fields = ("name", "calibration_constant_id", "physical_detector_unit_id", "begin_at")
    assert refused["info"] == dict.fromkeys(fields, TAKEN)


async def test_versions_are_found_by_conditions_and_time(rest: Rest) -> None:
    condition = await rest.condition(VOLTAGE, CELLS)
    constant = await rest.constant(condition)
    await rest.version(constant, "2026-01-01T10:00:00Z")
    await rest.version(constant, "2026-01-01T14:00:00Z")
    await rest.clock.advance(DAY_NS)

    async def begins(event_at: str, strategy: str, **more: Any) -> list[str]:
        return [v["begin_at"][11:13] for v in await rest.lookup(event_at, strategy, **more)]

    assert await begins("2026-01-01T13:00:00Z", "prior") == ["11"]
    assert await begins("2026-01-01T13:00:00Z", "closest") == ["15"]
    assert await begins("2026-01-01T13:00:00Z", "", begin_strategy_at="prior") == ["11"]
    assert await begins("2026-01-01T09:00:00Z", "prior") == []
    assert await begins("", "prior") == ["15"], "no event_at is now"
    assert await begins("2026-01-01T13:00:00Z", "prior", karabo_da="AGIPD01") == []
    assert await begins("2026-01-01T13:00:00Z", "prior", calibration_id="[2]") == []
    assert await begins("2026-01-01T13:00:00Z", "prior", snapshot_at="2025-12-31T00:00:00Z") == []
    await rest.lookup("2026-01-01T13:00:00Z", status=404, detector_identifier="XYZ")
    assert "begin_at_strategy" in (await rest.lookup("", "best", status=422))["info"]


async def test_a_constants_own_routes_choose_too(rest: Rest) -> None:
    constant = await rest.constant(await rest.condition(VOLTAGE, CELLS))
    for hour in (10, 14):
        await rest.version(constant, f"2026-01-01T{hour}:00:00Z")
    path, query = f"calibration_constants/{constant['id']}", {"physical_detector_unit_id": 1}
    query["event_at"] = "2026-01-01T13:00:00Z"  # type: ignore[assignment]
    assert (await rest.get(f"{path}/get_prior_in_time_version", **query))["begin_at"][11:13] == "11"
    assert (await rest.get(f"{path}/get_closest_version", **query))["begin_at"][11:13] == "15"
    assert [v["begin_at"][11:13] for v in await rest.get(f"{path}/get_all_versions", **query)] == ["15", "11"]
    await rest.get(f"{path}/get_version", 404, **query)
    exact = {**query, "event_at": "2026-01-01T14:00:00Z"}
    assert (await rest.get(f"{path}/get_version", **exact))["name"] == "20260101_150000_sIdx=0"


async def test_a_bad_version_can_be_disabled(rest: Rest) -> None:
    constant = await rest.constant(await rest.condition(VOLTAGE, CELLS))
    version = await rest.version(constant, "2026-01-01T00:00:00Z")
    body = {"calibration_constant_version": {"flg_deployed": False}}
    assert (await rest.put(f"calibration_constant_versions/{version['id']}", body))["flg_deployed"] is False
    assert await rest.lookup("2026-01-01T00:00:00Z") == []


async def test_a_swapped_module_keeps_its_past(rest: Rest) -> None:
    constant = await rest.constant(await rest.condition(VOLTAGE, CELLS))
    await rest.version(constant, "2026-01-01T00:00:00Z")
    await rest.clock.advance(DAY_NS)
    body = {"physical_detector_unit": {"karabo_da": "AGIPD99", "module_number": 15}}
    await rest.put("physical_detector_units/1", body)
    taken = {"physical_detector_unit": {"karabo_da": "AGIPD01"}}
    assert (await rest.put("physical_detector_units/1", taken, 422))["info"] == {"karabo_da": TAKEN}
    (version,) = await rest.get("calibration_constant_versions")
    unit = version["physical_detector_unit"]
    assert (unit["karabo_da"], unit["karabo_da_at_ccv_begin_at"]) == ("AGIPD99", "AGIPD00")
    assert (unit["module_number"], unit["module_number_at_ccv_begin_at"]) == (15, 0)


async def test_reports_are_set_once_and_show_their_versions(rest: Rest) -> None:
    body = {"report": {"name": "dark", "file_path": "/reports/1"}}
    report = await rest.post("reports/set", body)
    assert (await rest.post("reports/set", body, 200))["id"] == report["id"]
    constant = await rest.constant(await rest.condition(VOLTAGE, CELLS))
    version = await rest.version(constant, "2026-01-01T00:00:00Z", report_id=report["id"])
    shown = await rest.get(f"reports/{report['id']}")
    assert [v["id"] for v in shown["calibration_constant_versions"]] == [version["id"]]
    found = await rest.get("calibration_constant_versions", **{"report.file_path": "/reports/1"})
    assert [v["id"] for v in found] == [version["id"]]


async def test_lists_come_in_pages(rest: Rest) -> None:
    answer = await rest.http.get("calibrations", params={"page": 2, "page_size": 5})
    assert [row["id"] for row in answer.json()] == [17, 19, 20, 21, 22]
    shown = {name: answer.headers[name] for name in answer.headers if name.startswith("x-")}
    assert shown == {
        "x-total-pages": "4",
        "x-count-per-page": "5",
        "x-current-page": "2",
        "x-total-count": "19",
    }


async def test_identifiers_are_fixed_and_rows_in_use_stay(rest: Rest) -> None:
    refused = await rest.put("detectors/1", {"detector": {"identifier": "other"}}, 422)
    assert refused["info"] == {"identifier": ["cannot be updated"]}
    assert (await rest.put("detectors/1", {"detector": {"description": "new"}}))["description"] == "new"
    answer = await rest.http.delete("detectors/1")
    assert answer.status_code == 422
    created = await rest.post("parameters", {"parameter": {"name": "Mood"}})
    assert (await rest.http.delete(f"parameters/{created['id']}")).status_code == 204
    assert (await rest.post("parameters", {"parameter": {"name": "Mood"}}))["id"] > created["id"]


async def test_a_restart_keeps_everything(opener: Opener) -> None:
    async with opener() as rest:
        constant = await rest.constant(await rest.condition(VOLTAGE, CELLS))
        version = await rest.version(constant, "2025-12-31T00:00:00Z")
        units = await rest.get("physical_detector_units")
    async with opener() as rest:
        assert await rest.get("physical_detector_units") == units
        (found,) = await rest.lookup("2026-01-01T00:00:00Z")
        assert (found["id"], found["calibration_constant"]) == (version["id"], constant)
        await rest.version(constant, "2025-12-31T00:00:00Z", status=422)


async def test_a_file_that_is_no_catalogue_is_a_sentence(opener: Opener, tmp_path: Path) -> None:
    path = tmp_path / "caldb" / "catalogue.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreDamaged, match=r"catalogue\.sqlite is no catalogue"):
        async with opener(database=""):
            pass


async def test_a_taken_port_is_a_sentence(opener: Opener, rest: Rest) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(AddressTaken, match="in use"):
            await stack.enter_async_context(opener(port=int(rest.url.rsplit(":", 1)[1])))


async def _token(rest: Rest) -> dict[str, str]:
    form = {"grant_type": "client_credentials"}
    answer = await rest.http.post(f"{rest.url}/oauth/token", data=form, auth=("bench", "secret"))
    assert answer.status_code == 200
    assert "scope" not in answer.json(), "a scope that nobody asked for makes clients stop"
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_tokens_are_asked_for_where_they_are_required(opener: Opener) -> None:
    async with opener(require_token=True) as rest:
        assert "oauth/token" in (await rest.get("me", 401))["info"]
        assert (await rest.http.get("me", headers=await _token(rest))).status_code == 200
        assert (await rest.http.get("me", headers={"Authorization": "Bearer x"})).status_code == 401
        assert (await rest.http.post(f"{rest.url}/oauth/token", data={})).status_code == 400
        form = {"grant_type": "client_credentials"}
        assert (await rest.http.post(f"{rest.url}/oauth/token", data=form)).status_code == 401


@pytest.mark.parametrize(("fault", "status"), [("refuse", 503), ("server_error", 500), ("forget_token", 401)])
async def test_faults_show_as_their_status(rest: Rest, fault: str, status: int) -> None:
    headers = await _token(rest)
    rest.faults.switch_on(fault, times=1)
    answer = await rest.http.get("me", headers=headers)
    assert (answer.status_code, "info" in answer.json()) == (status, True)
    assert rest.faults.struck() == {fault: 1}
    again = await rest.http.get("me", headers=headers)
    assert again.status_code == (401 if fault == "forget_token" else 200)
    assert (await rest.http.get("me", headers=await _token(rest))).status_code == 200


async def test_a_slow_answer_runs_into_the_clients_time_out(rest: Rest) -> None:
    rest.faults.switch_on("slow_answer", times=1, seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        await rest.http.get("me", timeout=0.1)
    assert (await rest.get("me"))["id"] == 1


async def test_a_body_beyond_bounds_is_refused(rest: Rest) -> None:
    answer = await rest.http.post("reports/set", content=b" " * ((1 << 20) + 1))
    assert answer.status_code == 413


QUERIES = (
    "detectors",
    "physical_detector_units",
    "physical_detector_units/get_all_by_detector",
    "calibration_constant_versions",
    "calibration_constant_versions/get_by_detector_conditions",
    "calibrations/1/get_calibration_constant",
    "calibrations/1/get_all_calibration_constants",
    "calibration_constants/1/get_version",
    "calibration_constants/99999999999999999999999/get_all_versions",
    "conditions/get_possible_conditions",
    "conditions/99999999999999999999999999",
    "reports",
)
VALUES = (
    "",
    "0",
    "-1",
    "9" * 30,
    str(1 << 63),
    "1e400",
    "nan",
    "[",
    "[1,,x]",
    "true",
    "\x00",
    "é",
    "2024-13-40",
    "0001-01-01",
    "' OR 1=1",
)
NAMES = (
    "page",
    "page_size",
    "detector_id",
    "event_at",
    "calibration_id",
    "condition_id",
    "condition_ids",
    "detector_type_id",
    "physical_detector_unit_id",
    "calibration_constant_ids",
    "report_id",
    "pdu_snapshot_at",
    "snapshot_at",
    "identifier",
)


STRIDE = 1 if os.environ.get("STELLWERK_THOROUGH") == "1" else 4
"""Of the values of a parameter every so many-th; which, changes from parameter to parameter and from path to path."""


async def test_no_parameter_makes_it_fail(rest: Rest) -> None:
    """One catalogue for all paths: to make one takes longer than to ask it."""
    bodies = (
        None,
        {"condition": 1},
        {"parameters_conditions_attributes": [{"parameter_id": {}, "value": []}]},
    )
    full = {"detector_identifier": "SPB_DET_AGIPD1M-1", "detector_id": "1", "detector_type_id": "2"}
    full |= {"physical_detector_unit_id": "1", "condition_id": "1", "calibration_id": "[1]"}
    failed = []
    for at, path in enumerate(QUERIES):
        asked = [
            ({**full, name: value}, bodies[1])
            for number, name in enumerate(NAMES, at)
            for value in VALUES[number % STRIDE :: STRIDE]
        ]
        for query, body in [*asked, *((full, body) for body in bodies)]:
            answer = await rest.http.request("GET", path, params=query, json=body)
            if answer.status_code not in (200, 404, 422):
                failed.append((path, query, body, answer.text))
    assert not failed
