"""The public catalogue client, unmodified, against catalogues in processes of their own: its test suite, every call."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FOREIGN = Path(__file__).parents[2] / ".venvs" / "euxfel" / "bin" / "python"
SCRIPTS = Path(__file__).parents[1] / "foreign"
SUITE = "calibration_client.tests"

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not list((FOREIGN.parents[1] / "lib").glob("python*/site-packages/calibration_client")),
        reason="no environment .venvs/euxfel with the public catalogue client: run make test",
    ),
]


@contextmanager
def served(store: Path, *options: str) -> Iterator[str]:
    """Address of a catalogue that is served until the block ends."""
    command = [sys.executable, "-m", "fat", "caldb", "serve", "--store", store, "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            yield json.loads(serving.stdout.readline())["rest"]
        finally:
            serving.terminate()


def register(store: Path) -> tuple[str, str]:
    """Id and secret of a client that the store knows."""
    command = [sys.executable, "-m", "fat", "caldb", "client", "add", "suite", "--store", store, "--json"]
    added = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return added["id"], added["secret"]


def environment(**more: str) -> dict[str, str]:
    """The foreign client's environment: plain HTTP allowed, nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    return {**kept, "OAUTHLIB_INSECURE_TRANSPORT": "1", "NO_PROXY": "127.0.0.1", **more}


@pytest.mark.parametrize(
    ("part", "passed"),
    [
        # Injections of these parts share a key when they fall into the same second: each has its own catalogue.
        (("calibration_client_by_detector_test",), 9),
        (("apis",), 16),
        (("calibration_client_test", "common", "modules"), 33),
    ],
    ids=["by detector", "calls", "the rest"],
)
@pytest.mark.parametrize(
    "caldb_database",
    # What differs between the two is tested with both beside this, by tests/contract/test_caldb_rest.py and others.
    [pytest.param("sqlite", marks=pytest.mark.thorough), "postgresql"],
    indirect=True,
)
def test_the_clients_own_test_suite_passes(
    tmp_path: Path, caldb_database: str, part: tuple[str, ...], passed: int
) -> None:
    fill = [sys.executable, "-m", "fat", "caldb", "populate", "--store", tmp_path / "caldb"]
    subprocess.run([*fill, "--database", caldb_database, "--fixtures", "conformance"], check=True)
    client_id, secret = register(tmp_path / "caldb")
    command = [
        FOREIGN,
        "-m",
        "pytest",
        "-q",
        "-p",
        "suite_address",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
    ]
    with served(tmp_path / "caldb", "--require-token", "--database", caldb_database) as address:
        known = {"CATALOGUE": address, "CLIENT_ID": client_id, "CLIENT_SECRET": secret}
        done = subprocess.run(
            [*command, "-o", "python_files=*_test.py", "--pyargs", *(f"{SUITE}.{name}" for name in part)],
            env=environment(**known, PYTHONPATH=str(SCRIPTS)),
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert re.search(rf"\b{passed} passed", done.stdout), done.stdout


def drive(address: str, client_id: str, secret: str) -> dict[str, Any]:
    done = subprocess.run(
        [FOREIGN, SCRIPTS / "drive_catalogue.py", address, client_id, secret],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    "oauth",
    [
        pytest.param(False, marks=pytest.mark.thorough, id="without OAuth"),
        pytest.param(True, id="tokens run out on the way"),
    ],
)
def test_every_call_is_answered(tmp_path: Path, oauth: bool) -> None:
    store, options, who = tmp_path / "caldb", ["--token-lifetime", "20"], ("", "")
    if oauth:
        # The calls before the client's rest, which ends with its token, must end before the token does: a call that
        # straddles its end is answered 401. So must the calls after it, on the next token.
        who = register(store)
        options.append("--require-token")
    with served(store, *options) as address:
        seen = drive(address, *who)
    assert seen["not_called"] == []
    assert 401 not in {status for found in seen["statuses"].values() for status in found}
    unusual = {name: found for name, found in seen["statuses"].items() if found not in ([200], [201])}
    assert unusual == {
        "create_calibration_constant_version_api": [201, 422],
        "get_all_by_detector_api": [200, 404],
        "set_expected_condition": [200, 201],
        "set_report_api": [200, 201],
        "delete_report_api": [204],
    } | {
        f"delete_{model}_api": [204, 404]
        for model in (
            "calibration",
            "calibration_constant",
            "detector",
            "detector_type",
            "parameter",
            "physical_detector_unit",
        )
    }
    assert seen["me"] == "anna.berg@example.org"
    assert seen["units"] == [16, 16]
    assert len(set(seen["same_condition"])) == 1
    assert seen["by_key"]
    assert all(seen["chosen"].values())
    assert seen["begin"] == ["2026-01-01T11:00:00.000+01:00", "2026-01-02T11:00:00.500+01:00"]
    assert seen["pages"] == [2, 521, 521, "521", "500"]


def test_a_wrong_secret_is_an_error_of_the_client(tmp_path: Path) -> None:
    client_id, _ = register(tmp_path / "caldb")
    with served(tmp_path / "caldb", "--require-token") as address:
        command = [FOREIGN, SCRIPTS / "drive_catalogue.py", address, client_id, "wrong secret"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert "invalid_client" in done.stderr
