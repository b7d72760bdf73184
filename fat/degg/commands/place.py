"""Which laboratory a command speaks to, and by whose time it waits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from fat.bench.client import ClockClient
from fat.degg.station.bench_time import BenchTime, ClockLike
from fat.degg.station.endpoints import read_endpoints
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


class WallTime:
    """The machine's own clock, where there is no bench."""

    def now_ns(self) -> int:
        """Nanoseconds."""
        return time.monotonic_ns()

    def wait_until(self, t_ns: int) -> int:
        """Sleep until then."""
        time.sleep(max(0, t_ns - self.now_ns()) / 1e9)
        return self.now_ns()


@contextmanager
def laboratory(endpoints: Mapping[str, Any]) -> Iterator[Station]:
    """All modules and instruments behind addresses, until the end of the `with`.

    Time passes by the bench's clock where there is a bench, else by the machine's.
    """
    with ExitStack() as stack:
        clock: ClockLike = WallTime()
        if "clock" in endpoints:
            clock = stack.enter_context(ClockClient(str(endpoints["clock"]), "command"))
        bench_time = BenchTime(clock)
        yield stack.enter_context(Station(endpoints, bench_time.wait, spend_s=bench_time.spend))
