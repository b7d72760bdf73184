"""The constants catalogue and its client over real sockets: injection, lookup, refusals, faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from fat.testing.handles import Caldb, Faults
from pipeline.constants import AgipdConditions, Catalogue, CatalogueRest, Origin, inject
from pipeline.errors import (
    AlreadyInjected,
    CatalogueError,
    CatalogueUnreachable,
    ConstantMissing,
    ConstantUnreadable,
)

on_both_databases = pytest.mark.usefixtures("caldb_database")
"""Where it is about rows; files, faults and sentences are the same with the plugin's own SQLite."""

DETECTOR = "SPB_DET_AGIPD1M-1"
CONDITIONS = AgipdConditions(memory_cells=4, acquisition_rate_mhz=1.1)
BEGIN = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)


def offset(value: float) -> dict[str, np.ndarray]:
    return {"Offset": np.full((128, 512, 4, 3), value, np.float32)}


def origin(begin: datetime = BEGIN) -> Origin:
    return Origin(begin_at=begin, raw_data_location="proposal:900001 runs:1 2 3")


@pytest.fixture
def catalogue(caldb: Caldb) -> Iterator[Catalogue]:
    rest = CatalogueRest(caldb.rest, retry_for_s=1.0, timeout_s=5.0)
    yield Catalogue(rest, caldb.store, DETECTOR)
    rest.close()


def value_at(
    catalogue: Catalogue, at: datetime, strategy: str = "prior", conditions: AgipdConditions = CONDITIONS
) -> float:
    found = catalogue.fetch(conditions, ["Offset"], [0], at, strategy)  # type: ignore[arg-type]
    data = found.get(0, "Offset")
    assert data is not None
    assert data.shape == (128, 512, 4, 3)
    return float(data[0, 0, 0, 0])


@on_both_databases
def test_what_is_injected_is_found_by_conditions_and_time(catalogue: Catalogue) -> None:
    inject(catalogue, 0, offset(1.0), CONDITIONS, origin())
    inject(catalogue, 0, offset(2.0), CONDITIONS, origin(BEGIN + timedelta(hours=2)))
    assert value_at(catalogue, BEGIN + timedelta(hours=1)) == 1.0
    assert value_at(catalogue, BEGIN + timedelta(hours=3)) == 2.0
    assert value_at(catalogue, BEGIN + timedelta(minutes=90), "closest") == 2.0
    with pytest.raises(ConstantMissing, match="no Offset for module 0"):
        value_at(catalogue, BEGIN - timedelta(days=1))
    with pytest.raises(ConstantMissing):
        value_at(
            catalogue, BEGIN + timedelta(hours=3), conditions=replace(CONDITIONS, sensor_bias_voltage_v=200.0)
        )
    with pytest.raises(ConstantMissing):
        value_at(catalogue, BEGIN + timedelta(hours=3), conditions=replace(CONDITIONS, gain_mode=1))


@on_both_databases
def test_injecting_the_same_again_changes_nothing_and_other_content_is_refused(catalogue: Catalogue) -> None:
    first = inject(catalogue, 0, offset(1.0), CONDITIONS, origin())
    assert [v.id for v in inject(catalogue, 0, offset(1.0), CONDITIONS, origin())] == [v.id for v in first]
    with pytest.raises(AlreadyInjected, match="already been taken"):
        inject(catalogue, 0, offset(9.0), CONDITIONS, origin())
    assert value_at(catalogue, BEGIN) == 1.0
    assert list(catalogue.store.rglob("cal.*")) == [catalogue.path_of(first[0])], "a refused file is not left"


def test_a_damaged_constants_file_is_a_sentence(catalogue: Catalogue) -> None:
    (version,) = inject(catalogue, 0, offset(1.0), CONDITIONS, origin())
    path = catalogue.path_of(version)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConstantUnreadable, match=r"cal\..*\.h5"):
        value_at(catalogue, BEGIN)
    path.unlink()
    with pytest.raises(ConstantUnreadable):
        value_at(catalogue, BEGIN)
    assert inject(catalogue, 0, offset(1.0), CONDITIONS, origin()) == [version]
    assert value_at(catalogue, BEGIN) == 1.0, "the same data heal a damaged file"


def test_unknown_modules_and_detectors_are_sentences(caldb: Caldb, catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="no module 7"):
        inject(catalogue, 7, offset(1.0), CONDITIONS, origin())
    with pytest.raises(CatalogueError, match="knows no detector"):
        Catalogue(catalogue.rest, caldb.store, "XYZ_DET_AGIPD1M-9").units()


def test_faults_of_the_catalogue_are_noticed(caldb: Caldb, catalogue: Catalogue, faults: Faults) -> None:
    catalogue.units()
    faults.on("caldb", "server_error", times=1)
    assert httpx.get(f"{caldb.rest}/api/me").status_code == 500
    faults.on("caldb", "server_error")
    with pytest.raises(CatalogueError):
        catalogue.rest.get("me")
    faults.off("caldb", "server_error")
    assert catalogue.rest.get("me")
    assert faults.struck("caldb")["server_error"] >= 2


def test_each_fault_is_shown_by_the_client(caldb: Caldb, faults: Faults) -> None:
    rest = CatalogueRest(caldb.rest, retry_for_s=0.0, timeout_s=0.2, credentials=("bench", "secret"))
    assert rest.get("me")
    for fault, words in (
        ("refuse", "status 503"),
        ("server_error", "status 500"),
        ("slow_answer", "timed out"),
    ):
        faults.on("caldb", fault, times=1, **({"seconds": 0.5} if fault == "slow_answer" else {}))
        with pytest.raises(CatalogueUnreachable, match=words):
            rest.get("me")
    patient = CatalogueRest(caldb.rest, credentials=("bench", "secret"))
    assert patient.get("me")
    faults.on("caldb", "forget_token", times=1)
    assert patient.get("me"), "a forgotten token is fetched anew"
    assert faults.struck("caldb")["forget_token"] == 1
    patient.close()
    rest.close()


def test_nobody_there_is_a_sentence() -> None:
    rest = CatalogueRest("http://127.0.0.1:9", retry_for_s=0.2, timeout_s=0.2)
    with pytest.raises(CatalogueUnreachable, match="is it running"):
        rest.get("me")
    rest.close()
