"""Routes of the catalogue as public clients ask them, and bodies that are none: one catalogue for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from fat.bench.owned import OwnedBench
from fat.testing.small_bench import write_bench_file


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an empty catalogue. No test of this file changes it."""
    folder = tmp_path_factory.mktemp("routes")
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres_server").fresh()
    path = write_bench_file(folder, ["caldb"], mode="wall", receiver_port=None, caldb_database=database)
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as bench:
        yield bench.endpoints["caldb.rest"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/detectors/", 200),
        ("/api/physical_detector_units//get_all_by_detector?detector_id=1", 200),
        ("/api/physical_detector_units/get_all_by_detector?detector_id=99", 404),
        ("/api/calibrations?name=Offset", 200),
        ("/api/calibrations?name=Nothing", 200),
        ("/api/calibration_constant_versions/1", 404),
        ("/api/nothing", 404),
    ],
)
def test_routes_answer_as_public_clients_expect(rest: str, path: str, status: int) -> None:
    answer = httpx.get(rest + path)
    assert answer.status_code == status, answer.text
    if status == 404 and "nothing" not in path:
        assert "info" in answer.json()
    if "Nothing" in path:
        assert answer.json() == []
    if path == "/api/detectors/":
        assert answer.headers["X-Total-Count"] == "1"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_broken_bodies_do_no_harm(rest: str, body: bytes) -> None:
    answer = httpx.post(
        f"{rest}/api/conditions/set_expected_condition",
        content=body,
        headers={"content-type": "application/json"},
    )
    assert 400 <= answer.status_code < 500
    assert httpx.get(f"{rest}/api/me").status_code == 200
