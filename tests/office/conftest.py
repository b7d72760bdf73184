"""A catalogue with its back office, in process; people who look at it; constants in its store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from html import unescape
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest

from sim.caldb.kind import CATALOGUE_FILE, KIND
from sim.caldb.office import passwords
from sim.caldb.office.passwords import hashed
from sim.caldb.office.server import OfficeServer
from sim.caldb.office.users import User, set_user
from sim.caldb.store import open_engine
from sim.kernel import FaultBoard, Surroundings, Transcript
from sim.kernel.clock import ManualClock, manual_clock

# Slow on purpose, and asked for the same few passwords of the same two users in every test: each is derived once.
passwords._derive = cache(passwords._derive)  # type: ignore[assignment]

PASSWORD = "a password of tests"
HASH = hashed(PASSWORD)
FOLDER = "xfel/cal/agipd-type/agipd_sim_m100"
CONDITION = [
    {"parameter_name": "Sensor Bias Voltage", "value": 300.0, "upper_deviation_value": 5.0},
    {"parameter_name": "Memory cells", "value": 4},
]


@dataclass
class Opened:
    rest: httpx.AsyncClient
    url: str
    store: Path
    clock: ManualClock
    notes: list[str]

    async def made(self, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.rest.post(path, json={key: body})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def constant(self, name: str = "AGIPD-Type_Offset", calibration: int = 1) -> int:
        condition = {"name": "AGIPD Def 300 V", "parameters_conditions_attributes": CONDITION}
        answer = await self.rest.post("conditions/set_expected_condition", json={"condition": condition})
        body = {"name": name, "detector_type_id": 2, "calibration_id": calibration}
        made = await self.made(
            "calibration_constants", "calibration_constant", {**body, "condition_id": answer.json()["id"]}
        )
        return int(made["id"])

    async def version(self, constant: int, begin_at: str, pdu: int = 1, **more: Any) -> int:
        body = {
            "file_name": "cal.1.0.h5",
            "path_to_file": FOLDER,
            "data_set_name": "/AGIPD_SIM_M100/Offset/0",
            "calibration_constant_id": constant,
            "physical_detector_unit_id": pdu,
            "begin_at": begin_at,
            **more,
        }
        made = await self.made("calibration_constant_versions", "calibration_constant_version", body)
        return int(made["id"])

    def write(self, name: str, data: np.ndarray, dataset: str = "/AGIPD_SIM_M100/Offset/0") -> Path:
        path = self.store / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            stored = file.create_dataset(f"{dataset}/data", data=data)
            dims = ["fast_scan", "slow_scan", "cell", "gain"][: data.ndim]
            stored.attrs["dims"] = np.array(dims, dtype=h5py.string_dtype())
        return path

    async def lookup(self) -> list[dict[str, Any]]:
        """What a client finds: the versions of all modules under the condition."""
        query = {
            "detector_identifier": "SPB_DET_AGIPD1M-1",
            "calibration_id": "[1]",
            "event_at": "2026-02-01",
        }
        body = {"parameters_conditions_attributes": CONDITION}
        path = "calibration_constant_versions/get_by_detector_conditions"
        answer = await self.rest.request("GET", path, params=query, json=body)
        return list(answer.json())


class Person:
    """Somebody with a browser that runs no scripts."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=60)

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.http.get(path, follow_redirects=True)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.text

    async def fields(self, path: str) -> dict[str, str]:
        """The hidden fields of a page's last form."""
        page = await self.get(path)
        return hidden(page)

    async def send(self, path: str, status: int = 303, **form: str) -> httpx.Response:
        answer = await self.http.post(path, data=form)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer

    async def log_in(self, name: str, password: str = PASSWORD, status: int = 303) -> httpx.Response:
        fields = await self.fields("/login")
        return await self.send("/login", status, **{**fields, "name": name, "password": password})


def hidden(page: str) -> dict[str, str]:
    last = page[page.rindex("<form") :]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', last)
    return {name: unescape(value) for name, value in found}


@asynccontextmanager
async def opened(folder: Path, *, users: bool = True, **table: Any) -> AsyncIterator[Opened]:
    clock, faults = manual_clock(), FaultBoard("caldb", KIND.faults)
    around = Surroundings("caldb", 1, folder, clock, {}, faults, Transcript(None, lambda: 0))
    if users:
        engine = open_engine(table.get("database") or folder / "caldb" / CATALOGUE_FILE)
        with engine.begin() as db:
            set_user(db, User("anna", "edit", HASH))
            set_user(db, User("rolf", "read", HASH))
        engine.dispose()
    servers = KIND.build(around, KIND.config.model_validate(table))
    addresses = {name: await server.start() for name, server in servers.items()}
    office = servers["office"]
    assert isinstance(office, OfficeServer)
    try:
        async with httpx.AsyncClient(
            base_url=addresses["rest"] + "/api/", trust_env=False, verify=False, timeout=60
        ) as http:
            yield Opened(http, addresses["office"], Path(addresses["store"]), clock, list(office.notes()))
    finally:
        for server in reversed(servers.values()):
            await server.stop()


@pytest.fixture
def opener(tmp_path: Path) -> Any:
    """Opens a catalogue below `tmp_path`; the users anna (edit) and rolf (read) may log in."""
    return partial(opened, tmp_path)


@pytest.fixture
async def office(opener: Any) -> AsyncIterator[Opened]:
    async with opener() as place:
        yield place


@pytest.fixture
async def stranger(office: Opened) -> AsyncIterator[Person]:
    person = Person(office.url)
    yield person
    await person.http.aclose()


@pytest.fixture
async def anna(office: Opened) -> AsyncIterator[Person]:
    """May edit."""
    person = Person(office.url)
    await person.log_in("anna")
    yield person
    await person.http.aclose()


@pytest.fixture
async def rolf(office: Opened) -> AsyncIterator[Person]:
    """May read."""
    person = Person(office.url)
    await person.log_in("rolf")
    yield person
    await person.http.aclose()
