"""Puts constants made from the truth into the bench's catalogue, as an earlier calibration campaign would have.

The flow is that of the public calibration client: condition, calibration, detector type, constant, unit, version.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import h5py
import httpx
from numpy.typing import NDArray

from sim.errors import SimError
from sim.xtdf.config import AnyTable
from sim.xtdf.keys import key64
from sim.xtdf.module import ModuleModel

DIMS: Final = ("fast_scan", "slow_scan", "cell")
"""Axes of injected constants but the last: parameters of slopes, else gain stages."""
AGE_S: Final = 30 * 86_400
"""The constants begin 30 days before the bench's epoch."""
TIMEOUT_S: Final = 30.0


class InjectionRefused(SimError):
    """The catalogue did not take a constant: the bench cannot start."""

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason
        super().__init__(f"{what} could not be put into the catalogue: {reason}")


@dataclass(frozen=True, slots=True)
class Campaign:
    """What all injected constants share."""

    seed: int
    error: float
    """Relative calibration error, rms."""
    table: AnyTable
    """The detector: its type and operating conditions."""
    begin_unix_s: int

    @property
    def begin_at(self) -> str:
        """Begin of the versions, ISO 8601."""
        return datetime.fromtimestamp(self.begin_unix_s, UTC).isoformat()

    @property
    def detector_type(self) -> str:
        """The catalogue's name of the type, e.g. AGIPD-Type."""
        return f"{self.table.type}-Type"

    @property
    def description(self) -> str:
        """By this a restarted bench knows its own constants."""
        return f"simulated, seed {self.seed}, relative error {self.error:g}"


def inject(base_url: str, store: Path, campaign: Campaign, modules: Iterable[ModuleModel]) -> int:
    """Inject the gain constants of every module that lacks them. Returns how many versions are new.

    base_url  the catalogue without `/api`
    Raises InjectionRefused.
    """
    headers = {"Accept": "application/json; version=2"}
    try:
        with httpx.Client(
            base_url=f"{base_url}/api/",
            headers=headers,
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=not base_url.startswith("http:"),  # certificates take a twentieth of a second to load
        ) as http:
            catalogue = _Catalogue(http, store, campaign)
            return sum(catalogue.add_versions(module) for module in modules)
    except httpx.HTTPError as error:
        raise InjectionRefused("constants", f"no answer from {base_url} ({error})") from None


class _Catalogue:
    """One conversation with the catalogue."""

    def __init__(self, http: httpx.Client, store: Path, campaign: Campaign) -> None:
        self._http, self._store, self._campaign = http, store, campaign
        self._constant_ids: dict[str, int] = {}

    def constant_id(self, calibration: str) -> int:
        """Id of the constant for a calibration under the campaign's conditions; it is added when new."""
        table = self._campaign.table
        wanted = table.parameters_of(calibration)
        digest = hashlib.blake2b(json.dumps(wanted, sort_keys=True).encode(), digest_size=6).hexdigest()
        condition = self._post(
            "conditions/set_expected_condition",
            "condition",
            {
                "name": f"{table.type.lower()}-{digest}",
                "flg_available": True,
                "event_at": self._campaign.begin_at,
                "description": "",
                "parameters_conditions_attributes": [
                    {"parameter_name": name, "value": value} for name, value in wanted.items()
                ],
            },
        )
        calibration_id = self._only("calibrations", {"name": calibration})["id"]
        type_id = self._only("detector_types", {"name": self._campaign.detector_type})["id"]
        found = self._http.get(
            f"calibrations/{calibration_id}/get_calibration_constant",
            params={
                "calibration_id": calibration_id,
                "detector_type_id": type_id,
                "condition_id": condition["id"],
            },
        )
        if found.status_code != 404:
            return int(self._read(found, calibration)["id"])
        constant = {
            "name": f"{self._campaign.detector_type}_{calibration}_{condition['name']}",
            "detector_type_id": type_id,
            "calibration_id": calibration_id,
            "condition_id": condition["id"],
            "flg_auto_approve": True,
            "flg_available": True,
            "description": "",
        }
        return int(self._post("calibration_constants", "calibration_constant", constant)["id"])

    def add_versions(self, module: ModuleModel) -> int:
        """Write and register one version of each constant that this campaign has not there. How many are new."""
        new = 0
        table = self._campaign.table
        constants = module.gain_constants(self._campaign.seed, self._campaign.error)
        if table.inject_darks:
            constants |= module.dark_constants()
        for calibration, constant in constants.items():
            if calibration not in self._constant_ids:
                self._constant_ids[calibration] = self.constant_id(calibration)
            new += self._add_version(calibration, self._constant_ids[calibration], module.serial, constant)
        return new

    def _add_version(self, calibration: str, constant_id: int, serial: str, constant: NDArray[Any]) -> bool:
        unit = self._only("physical_detector_units", {"physical_name": serial})
        if self._is_there(calibration, constant_id, unit["id"]):
            return False
        folder = f"xfel/cal/{self._campaign.detector_type.lower()}/{serial.lower()}/"
        fraction = key64(self._campaign.seed, serial, calibration) % 10_000_000
        name = f"cal.{self._campaign.begin_unix_s}.{fraction:07d}.h5"
        data_set = f"/{serial}/{calibration}/0"
        self._write(self._store / folder / name, f"{data_set}/data", constant)
        version = {
            "file_name": name,
            "path_to_file": folder,
            "data_set_name": data_set,
            "flg_deployed": True,
            "flg_good_quality": True,
            "begin_validity_at": self._campaign.begin_at,
            "begin_at": self._campaign.begin_at,
            "start_idx": 0,
            "end_idx": 0,
            "raw_data_location": "simulated",
            "calibration_constant_id": constant_id,
            "physical_detector_unit_id": unit["id"],
            "description": self._campaign.description,
        }
        self._post("calibration_constant_versions", "calibration_constant_version", version)
        return True

    def _is_there(self, calibration: str, constant_id: int, unit_id: int) -> bool:
        versions = self._http.get(
            f"calibration_constants/{constant_id}/get_all_versions",
            params={
                "calibration_constant_ids": f"[{constant_id}]",
                "physical_detector_unit_id": unit_id,
                "event_at": self._campaign.begin_at,
                "snapshot_at": "",
            },
        )
        if versions.status_code == 404:
            return False
        ours = self._campaign.description
        return any(version.get("description") == ours for version in self._read(versions, calibration))

    def _write(self, path: Path, data_set: str, constant: NDArray[Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with h5py.File(unfinished, "w") as file:
            dataset = file.create_dataset(data_set, data=constant)
            last = (
                "parameter" if "Slopes" in data_set else "threshold" if "Thresholds" in data_set else "gain"
            )
            dataset.attrs["dims"] = [*DIMS, last][: constant.ndim]
            dataset.attrs["calibration_error"] = self._campaign.error
        os.replace(unfinished, path)

    def _only(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        found = self._read(self._http.get(path, params=dict(query)), path)
        name = next(iter(query.values()))
        if not found:
            raise InjectionRefused(
                name, f"the catalogue has no such entry in {path}; add it to the bench file"
            )
        first: dict[str, Any] = found[0]
        return first

    def _post(self, path: str, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._read(self._http.post(path, json={kind: body}), path)
        return answer

    def _read(self, answer: httpx.Response, what: str) -> Any:
        if answer.is_error:
            raise InjectionRefused(what, f"{answer.status_code} {answer.text[:500]}")
        return answer.json()
