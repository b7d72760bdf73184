"""Constants through the remotes over real sockets: found, fetched, injected, checked, and what is wrong refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.constants import Catalogue, CatalogueRest, LpdConditions, inject
from pipeline.constants.remotes.client import RemoteRefused
from pipeline.errors import (
    AlreadyInjected,
    CatalogueError,
    ConstantMissing,
    ConstantUnreadable,
    RemoteFailed,
    SettingRejected,
)
from sim.caldb.remotes.server import Limits


async def test_thirty_are_the_default_and_each_has_its_name(open_remotes: Any) -> None:
    from sim.caldb.config import CatalogueTable

    async with open_remotes(CatalogueTable().remotes) as bench:
        assert len(bench.addresses) == len(set(bench.addresses)) == 30
        assert all(address.startswith("tcp://127.0.0.1:") for address in bench.addresses)
        names = [remote.name for remote in bench.server.remotes]
        assert names == [f"MAX_WEB_DATA/DM/CAL_REMOTE_{n}" for n in range(1, 31)]


@pytest.mark.parametrize("carried_bytes", [0, 64 << 20], ids=["meta_only", "with data"])
async def test_what_is_injected_is_fetched_by_conditions_and_time(remotes: Any, carried_bytes: int) -> None:
    first = await remotes.inject(1.0)
    second = await remotes.inject(2.0, hours=2)
    client = remotes.client(carried_bytes=carried_bytes)
    np.testing.assert_array_equal(await remotes.fetch(client, 1.0), remotes.offset(1.0))
    np.testing.assert_array_equal(await remotes.fetch(client, 3.0), remotes.offset(2.0))
    assert (first.module, first.pdu, first.karabo_da) == (0, "AGIPD_SIM_M100", "AGIPD00")
    assert first.begin_at == remotes.begin
    assert second.begin_at == remotes.begin + timedelta(hours=2)
    with pytest.raises(ConstantMissing, match="no Offset for module 0"):
        await remotes.fetch(client, -1.0)
    for other in ({"sensor_bias_voltage_v": 200.0}, {"gain_mode": 1}):
        with pytest.raises(ConstantMissing):
            await remotes.fetch(client, 1.0, replace(remotes.conditions, **other))


async def test_the_catalogue_is_seen_as_it_stood(remotes: Any) -> None:
    version = await remotes.inject()
    client = remotes.client()
    ask = (remotes.conditions, ["Offset"], remotes.begin, "prior")
    second = timedelta(seconds=1)
    assert await asyncio.to_thread(client.find, *ask, version.created_at + second) == [version]
    assert await asyncio.to_thread(client.find, *ask, version.created_at - second) == []


@pytest.mark.parametrize(("hours", "found"), [(0, [1]), (2, [2]), (1, []), (3, [])])
async def test_exact_is_a_version_that_begins_then(remotes: Any, hours: int, found: list[int]) -> None:
    await remotes.inject(1.0)
    await remotes.inject(2.0, hours=2)
    at = remotes.begin + timedelta(hours=hours)
    versions = await asyncio.to_thread(remotes.client().find, remotes.conditions, ["Offset"], at, "exact")
    assert [version.id for version in versions] == found


async def test_rest_and_remotes_are_two_doors_of_one_catalogue(remotes: Any) -> None:
    rest = CatalogueRest(remotes.rest)
    catalogue = Catalogue(rest, remotes.store, remotes.detector)
    by_rest = await asyncio.to_thread(
        inject, catalogue, 1, {"Offset": remotes.offset(3.0)}, remotes.conditions, remotes.origin()
    )
    by_remote = await remotes.inject(4.0)
    client = remotes.client()
    ask = (remotes.conditions, ["Offset"], [0, 1], remotes.begin)
    through_remotes = await asyncio.to_thread(client.fetch, *ask)
    through_rest = await asyncio.to_thread(catalogue.fetch, *ask)
    rest.close()
    assert [v.id for v in through_remotes.versions()] == [by_remote.id, by_rest[0].id]
    assert [v.provenance() for v in through_remotes.versions()] == [
        v.provenance() for v in through_rest.versions()
    ]
    for module in (0, 1):
        np.testing.assert_array_equal(
            through_remotes.get(module, "Offset"), through_rest.get(module, "Offset")
        )


async def test_the_log_has_the_words_that_users_know(remotes: Any) -> None:
    version = await remotes.inject()
    await remotes.fetch(remotes.client(carried_bytes=0))
    lines = [line.split(" ", 1)[1] for line in remotes.log.splitlines()]
    name = version.file.name
    said = [line for line in lines if "CAL_REMOTE_1 " in line]
    prefix = "INFO  MAX_WEB_DATA/DM/CAL_REMOTE_1  : "
    expected = [
        "Waiting on data",
        f"Saved file {name} at xfel/cal/agipd-type/agipd_sim_m100/",
        "Start writing to Calibration Catalogue...",
        "Finnish writing to Calibration Catalogue...",
        f"Registered {name} successfully",
        "Waiting on data",
        "Start searching in Calibration Catalogue...",
        "Waiting on data",
        "Got calibration: Offset (AGIPD1M1), meta_only: True",
        "Waiting on data",
    ]
    # The remote says that it waits after its answer has left, so the client may be here first.
    assert said[:9] == [prefix + text for text in expected[:9]]
    assert "INFO  MAX_WEB_DATA/DM/CAL_REMOTE_2  : Waiting on data" in lines
    assert "Finnish writing" in remotes.transcript.read_text(encoding="utf-8")


async def test_a_version_is_never_overwritten_and_ones_own_is_known_again(remotes: Any) -> None:
    first = await remotes.inject(1.0)
    assert await remotes.inject(1.0) == first
    with pytest.raises(AlreadyInjected, match="already been taken"):
        await remotes.inject(9.0)
    assert "WARN  MAX_WEB_DATA/DM/CAL_REMOTE_1  : Version already taken" in remotes.log
    np.testing.assert_array_equal(await remotes.fetch(remotes.client()), remotes.offset(1.0))
    assert list(remotes.store.rglob("cal.*")) == [remotes.store / first.file], "a refused file is not left"
    assert not list(remotes.store.rglob(".*.part"))


async def test_the_same_data_heal_a_damaged_file(remotes: Any) -> None:
    version = await remotes.inject()
    path = remotes.store / version.file
    path.write_bytes(path.read_bytes()[:1000])
    for carried_bytes in (0, 64 << 20):
        with pytest.raises(ConstantUnreadable, match=path.name):
            await remotes.fetch(remotes.client(carried_bytes=carried_bytes))
    assert await remotes.inject() == version
    np.testing.assert_array_equal(await remotes.fetch(remotes.client()), remotes.offset())


def corrupt(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["/AGIPD_SIM_M100/Offset/0/data"][0, 0, 0, 0] = 99.0


def other_shape(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        group = file["/AGIPD_SIM_M100/Offset/0"]
        del group["data"]
        group["data"] = np.zeros((128, 512, 2, 3), np.float32)


def other_dtype(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        group = file["/AGIPD_SIM_M100/Offset/0"]
        del group["data"]
        group["data"] = np.full((128, 512, 1, 3), b"abcd")


def other_name(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.move("/AGIPD_SIM_M100", "/AGIPD_SIM_M101")


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("carried_bytes", [0, 64 << 20], ids=["meta_only", "with data"])
@pytest.mark.parametrize("damage", [corrupt, other_shape, other_dtype, other_name, gone])
async def test_a_wrong_file_is_refused_with_its_name(remotes: Any, damage: Any, carried_bytes: int) -> None:
    version = await remotes.inject()
    damage(remotes.store / version.file)
    client = remotes.client(carried_bytes=carried_bytes)
    with pytest.raises((ConstantUnreadable, RemoteFailed), match=version.file.name):
        await remotes.fetch(client)


async def test_a_file_of_other_conditions_is_refused(remotes: Any) -> None:
    version = await remotes.inject()
    with h5py.File(remotes.store / version.file, "r+") as file:
        file["/AGIPD_SIM_M100/Offset/0"].attrs["Sensor Bias Voltage"] = 200.0
    with pytest.raises(ConstantUnreadable, match=r"Sensor Bias Voltage 200.* says 300"):
        await remotes.fetch(remotes.client(carried_bytes=0))


async def test_what_no_message_can_carry_is_read_from_the_store(
    open_remotes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_remotes() as bench:
        await bench.inject()
    # The limit of a catalogue that is opened anew on the same folder; the array has 786 432 bytes.
    monkeypatch.setattr("sim.caldb.remotes.server.Limits", partial(Limits, data_bytes=700_000))
    async with open_remotes() as bench:
        np.testing.assert_array_equal(await bench.fetch(bench.client()), bench.offset())
        client = bench.client()
        client.store = None
        with pytest.raises(RemoteRefused, match="ask with meta_only"):
            await bench.fetch(client)


async def test_the_generic_cell_order_is_asked_for_second(open_remotes: Any) -> None:
    detectors = [{"identifier": "FXE_DET_LPD1M-1", "type": "LPD-Type", "modules": 1}]
    async with open_remotes(detectors=detectors) as bench:
        bench.detector = "FXE_DET_LPD1M-1"
        generic = LpdConditions(memory_cells=1)
        data = np.full((256, 256, 1, 3), 2.0, np.float32)
        client = bench.client()
        await asyncio.to_thread(client.inject, 0, "Offset", data, generic, bench.origin())
        special = replace(generic, memory_cell_order="8,24,")
        np.testing.assert_array_equal(await bench.fetch(client, conditions=special), data)


async def test_unknown_names_are_sentences(remotes: Any) -> None:
    client = remotes.client()
    data = remotes.offset()
    with pytest.raises(CatalogueError, match="has no unit AGIPD77"):
        await asyncio.to_thread(client.inject, 77, "Offset", data, remotes.conditions, remotes.origin())
    client.detector = "XYZ_DET_AGIPD1M-9"
    with pytest.raises(CatalogueError, match="knows no detector 'XYZ_DET_AGIPD1M-9'"):
        await remotes.fetch(client)
    for addresses, words in (
        ([], "at least one"),
        (["http://127.0.0.1:1"], "tcp://host:8015"),
        (["tcp://h:9#8"], "9#8"),
    ):
        with pytest.raises(SettingRejected, match=words):
            type(client.remotes)(addresses)
