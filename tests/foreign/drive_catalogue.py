"""Make every call that the public catalogue client has, and print what was answered, as JSON.

arguments: catalogue, client id or "", secret. With a client id it rests in the middle until its token has run out.
"""

import inspect
import json
import sys
import time
from typing import Any

from calibration_client import CalibrationClient, apis

address, client_id, secret = sys.argv[1:]
statuses: dict[str, list[int]] = {}
CALLS = {
    name
    for _, api in inspect.getmembers(apis, inspect.isclass)
    for name in vars(api)
    if not name.startswith("_")
}


class Noting(CalibrationClient):
    """Notes the status of every answer by the name of the call."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in CALLS:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            response = value(*args, **kwargs)
            statuses.setdefault(name, []).append(response.status_code)
            return response

        return call


def address_of(**more: Any) -> dict[str, Any]:
    return {"base_api_url": f"{address}/api/", "user_email": "anna.berg@example.org", **more}


if client_id:
    oauth = {"client_id": client_id, "client_secret": secret, "scope": ""}
    client = Noting(**address_of(token_url=f"{address}/oauth/token", refresh_url="", auth_url="", **oauth))
else:
    client = Noting(**address_of(use_oauth2=False))


def crud(
    model: str, plural: str, new: dict[str, Any], changed: dict[str, Any], *finders: Any
) -> dict[str, Any]:
    """Create, find, read, change and delete an entry of a model; returns what was created."""
    created = getattr(client, f"create_{model}_api")({model: new}).json()
    getattr(client, f"get_{model}_by_id_api")(created["id"])
    for finder, *arguments in finders:
        found = getattr(client, finder)(*arguments)
        assert [row["id"] for row in found.json()] == [created["id"]], (finder, found.text)
    getattr(client, f"update_{model}_api")(created["id"], {model: changed})
    if hasattr(client, f"delete_{model}_api"):
        getattr(client, f"delete_{model}_api")(created["id"])
        getattr(client, f"delete_{model}_api")(created["id"])
    return dict(created)


me = client.get_current_user().json()
detector = {
    "name": "D",
    "identifier": "D",
    "karabo_name": "D",
    "karabo_id_control": "C",
    "flg_available": "true",
}
finders = [("get_all_detectors_by_name_api", "D"), ("get_all_detectors_by_identifier_api", "D")]
crud("detector", "detectors", detector, {"description": "x"}, *finders)
for model in ("detector_type", "parameter", "calibration"):
    finder = (f"get_all_{model}s_by_name_api", "new", 1, 10)
    crud(model, f"{model}s", {"name": "new", "unit_id": 1}, {"description": "x"}, finder)
unit = {"physical_name": "U", "karabo_da": "U00", "uuid": "77", "detector_type_id": "2", "detector_id": "1"}
crud(
    "physical_detector_unit",
    "physical_detector_units",
    unit,
    {"karabo_da": "U01"},
    ("get_all_physical_detector_units_by_physical_name_api", "U"),
    ("get_all_physical_detector_units_by_det_and_krbda_api", 1, "U00"),
)
units = client.get_all_physical_detector_units_by_detector_id_api(1, 1, 500).json()
by_detector = client.get_all_by_detector_api(1, "").json()
client.get_all_by_detector_api(99, "")

if client_id:
    time.sleep(max(0.0, client.oauth_client.get_session_token()["expires_at"] - time.time()) + 0.5)

parameters = [
    {"parameter_name": "Sensor Bias Voltage", "value": "300", "lower_deviation_value": "5"},
    {"parameter_name": "memory cells", "value": 4.0},
]
condition = {"condition": {"name": "c", "event_at": "", "parameters_conditions_attributes": parameters}}
stored = client.set_expected_condition(condition).json()
client.set_expected_condition(condition)
expected = client.get_expected_condition(condition).json()
possible = client.get_possible_conditions(condition).json()
constant = {"name": "cc", "calibration_id": 1, "detector_type_id": 2, "condition_id": stored["id"]}
crud(
    "calibration_constant",
    "calibration_constants",
    constant,
    {"description": "x"},
    ("get_all_calibration_constants_by_name_api", "cc"),
    ("get_all_calibration_constants_by_conds_api", 1, 2, [stored["id"], 99]),
)
kept = client.create_calibration_constant_api({"calibration_constant": constant}).json()
by_key = client.get_calibration_constant_by_uk_api(1, 2, stored["id"]).json()
report = client.set_report_api({"report": {"name": "r", "file_path": "/r"}}).json()
client.set_report_api({"report": {"name": "r", "file_path": "/r"}})
version = {
    "file_name": "cal.1.h5",
    "path_to_file": "xfel/cal/agipd-type/agipd_sim_m100/",
    "data_set_name": "/AGIPD_SIM_M100/Offset/0",
    "calibration_constant_id": str(kept["id"]),
    "physical_detector_unit_id": "1",
    "begin_at": "2026-01-01T10:00:00+00:00",
    "report_id": str(report["id"]),
    "start_idx": 0,
}
late = {**version, "begin_at": "2026-01-02T10:00:00.5Z", "name": "late"}
first = client.create_calibration_constant_version_api({"calibration_constant_version": version}).json()
second = client.create_calibration_constant_version_api({"calibration_constant_version": late}).json()
client.create_calibration_constant_version_api({"calibration_constant_version": late})
client.get_calibration_constant_version_by_id_api(first["id"])
client.get_calibration_constant_versions_api({"report.file_path": "/r"})
named = client.get_all_calibration_constant_versions_by_name_api("late").json()
client.update_calibration_constant_version_api(first["id"], {"calibration_constant_version": {"end_idx": 1}})
at, cc = "2026-01-02T09:00:00+01:00", [kept["id"]]
exact = client.get_calibration_constant_version_by_uk_api(kept["id"], 1, first["begin_at"], "").json()
prior = client.get_prior_in_time_calibration_constant_version_api(cc, 1, at, None).json()
closest = client.get_closest_calibration_constant_version_api(cc, 1, at, "").json()
of_detector = client.get_closest_calibration_constant_version_by_detector_api(cc, 1, "", at, "").json()
every = client.get_all_calibration_constant_versions_api(cc, 1, at, "").json()
lookup = {"parameters_conditions_attributes": [{**p, "value": p["value"]} for p in parameters]}
by_conditions = client.get_calibration_constant_versions_by_detector_conditions_api(
    "SPB_DET_AGIPD1M-1", [1], lookup, "", at, "", "prior"
).json()

for number in range(520):
    client.create_report_api({"report": {"name": f"page {number % 2}", "file_path": f"/pages/{number}"}})
client.get_reports_by_file_path_api("/pages/7")
client.get_all_reports_by_name_and_file_path_api("page 1", "/pages/7")
client.get_all_reports_by_name_api("page 1", 3, 100)
seen: list[int] = []
page = 0
headers: Any = {"X-Total-Pages": 1}
while page < int(headers["X-Total-Pages"]):
    page += 1
    answer = client.get_reports_api({"page": page, "page_size": 500})
    headers = answer.headers
    seen += [row["id"] for row in answer.json()]
read = client.get_report_by_id_api(report["id"]).json()
client.update_report_api(seen[-1], {"report": {"description": "x"}})
client.delete_report_api(seen[-1])

json.dump(
    {
        "not_called": sorted(CALLS - set(statuses)),
        "statuses": {name: sorted(set(found)) for name, found in sorted(statuses.items())},
        "me": me["email"],
        "units": [len(units), len(by_detector)],
        "same_condition": [stored["id"], expected["id"], possible[0]["id"]],
        "by_key": by_key["id"] == kept["id"],
        "chosen": {
            "exact": exact["id"] == first["id"],
            "prior": prior["id"] == first["id"],
            "closest": closest["id"] == second["id"],
            "named": [row["id"] for row in named] == [second["id"]],
            "of_detector": [row["id"] for row in of_detector] == [second["id"]],
            "every": [row["id"] for row in every] == [second["id"], first["id"]],
            "by_conditions": [row["id"] for row in by_conditions] == [first["id"]],
            "report": len(read["calibration_constant_versions"]),
        },
        "begin": [first["begin_at"], second["begin_at"]],
        "pages": [page, len(seen), len(set(seen)), headers["X-Total-Count"], headers["X-Count-Per-Page"]],
    },
    sys.stdout,
)
