"""The catalogue's description of itself is true: fuzzed over a real socket, answers held against the schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sim.caldb.openapi import describe
from sim.caldb.operations import OPERATIONS

pytestmark = pytest.mark.timeout(300)
THOROUGH = os.environ.get("STELLWERK_THOROUGH") == "1"
EXAMPLES = 15 if THOROUGH else 6
"""Of each operation, the same in every run."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A catalogue in a process of its own, with rows in every table."""
    store = ["--store", str(tmp_path_factory.mktemp("fuzzed") / "caldb")]
    if request.param == "postgresql":
        store += ["--database", request.getfixturevalue("postgres_server").fresh()]
    command = [sys.executable, "-m", "fat", "caldb"]
    subprocess.run([*command, "populate", *store, "--fixtures", "conformance"], check=True)
    with subprocess.Popen(
        [*command, "serve", *store, "--json"], stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        try:
            yield json.loads(serving.stdout.readline())["rest"]
        finally:
            serving.terminate()


schema = schemathesis.openapi.from_dict(describe(OPERATIONS, require_token=False))
# Values at every bound, hundreds of requests for each operation: each worker makes them while it collects.
schema.config.phases.coverage.enabled = THOROUGH


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: Any, address: str) -> None:
    case.call_and_validate(base_url=address, checks=CHECKS)
