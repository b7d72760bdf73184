"""Which laboratory a command speaks to, and by whose time it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from fat.bench.client import ClockClient
from fat.degg.commands.endpoints import read_endpoints
from fat.degg.station.station import Station
from fat.errors import UsageError

RUNS: Final = Path("runs")


def endpoints_path(given: Path | None) -> Path:
    """The file that was given, or the newest `runs/*/endpoints.json` with optical modules. Raises UsageError."""
    if given is not None:
        return given
    found = sorted(RUNS.glob("*/endpoints.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found:
        if any(key.startswith("degg.") for key in read_endpoints(path)):
            return path
    raise UsageError(
        "no laboratory is up in runs/: name its addresses with --endpoints PATH, or start a simulated one with "
        "`stellwerk up configs/lab.toml`"
    )


@contextmanager
def waiting(endpoints: Mapping[str, Any]) -> Iterator[Callable[[float], None]]:
    """How time passes: by the bench's clock where there is a bench, else by the wall's."""
    if "clock" not in endpoints:
        yield time.sleep
        return
    with ClockClient(str(endpoints["clock"]), "command") as clock:
        yield lambda seconds: void(clock.wait_until(clock.now_ns() + round(seconds * 1e9)))


def void(_: object) -> None:
    """Take a value and give none."""


@contextmanager
def laboratory(endpoints: Mapping[str, Any]) -> Iterator[Station]:
    """All modules and instruments behind addresses, until the end of the `with`."""
    with waiting(endpoints) as wait_s, Station(endpoints, wait_s) as station:
        yield station
