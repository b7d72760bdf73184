"""The pytest plugin `stellwerk`: simulators as fixtures, ready when yielded, gone afterwards.

A test asks for the simulators it wants (`agipd_module`, `dcu`, `caldb`, `lab`, `slack`). They run as processes on free
ports and share one clock: wall time, or with `manual_clock` the test's own. `faults` breaks things on purpose.
`bench` brings up a whole bench file: mark the test with `@pytest.mark.bench_file("my.toml")`, or take the miniature
that comes with Stellwerk. When a test fails, what went over the wires stands in its report.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from fat.bench.client import ControlClient
    from fat.bench.owned import OwnedBench
    from fat.testing.handles import AgipdModule, Caldb, Dcu, Faults, Lab, ManualClock, Slack

TRANSCRIPT_LINES: Final = 40
_DATA_DIR: Final = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Say what the plugin's markers mean."""
    config.addinivalue_line("markers", "bench_file(path): the bench file that the fixture `bench` brings up")
    config.addinivalue_line("markers", "lab_table(toml): lines of the table of the laboratory `lab`")
    config.addinivalue_line("markers", "dcu_table(toml): lines of the table of the control unit `dcu`")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Attach the byte transcripts and logs of the test's simulators to its failure."""
    outcome: Any = yield
    report = outcome.get_result()
    data_dir = item.stash.get(_DATA_DIR, None)
    if report.failed and data_dir is not None:
        for path in sorted([*data_dir.glob("transcripts/*.txt"), *data_dir.glob("log/*.log")]):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TRANSCRIPT_LINES:]
            if lines:
                report.sections.append((f"{path.parent.name}: {path.stem}", "\n".join(lines)))


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, child process, socket or shared-memory segment behind."""
    from fat.testing.leaks import leaked, snapshot

    before = snapshot()
    yield
    left = leaked(before)
    if left:
        pytest.fail("the test left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture
def stellwerk_small_bench(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    nothing_left_behind: None,  # noqa: ARG001  # taken for what it does
) -> Iterator[tuple[OwnedBench, Any]]:
    """A bench with exactly the simulators that the test asks for. The other fixtures are built on it."""
    from fat.bench.owned import OwnedBench
    from fat.testing.handles import receiver_socket
    from fat.testing.small_bench import write_bench_file

    names = request.fixturenames
    tables = {name: request.node.get_closest_marker(name) for name in ("dcu_table", "lab_table")}
    receiver = receiver_socket() if "agipd_module" in names else None
    try:
        path = write_bench_file(
            tmp_path,
            names,
            mode="manual" if "manual_clock" in names else "wall",
            receiver_port=None if receiver is None else receiver.getsockname()[1],
            # A test suite of ours names another database for the catalogue by a fixture of this name.
            caldb_database=request.getfixturevalue("caldb_database") if "caldb_database" in names else "",
            **{name: marker.args[0] for name, marker in tables.items() if marker is not None},
        )
        data_dir = tmp_path / "data"
        request.node.stash[_DATA_DIR] = data_dir
        with OwnedBench(path, data_dir=data_dir, log=data_dir / "log" / "bench.log") as bench:
            yield bench, receiver
    finally:
        if receiver is not None:
            receiver.close()


@pytest.fixture
def bench(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    nothing_left_behind: None,  # noqa: ARG001  # taken for what it does
) -> Iterator[OwnedBench]:
    """A whole bench that is up: `bench.endpoints`, `bench.token`. Its data lie below `tmp_path`."""
    from fat.bench.owned import OwnedBench
    from fat.configs import shipped_bench

    marker = request.node.get_closest_marker("bench_file")
    path = Path(marker.args[0]) if marker is not None else shipped_bench("mini")
    data_dir = tmp_path / "data"
    request.node.stash[_DATA_DIR] = data_dir
    with OwnedBench(path, data_dir=data_dir, log=data_dir / "log" / "bench.log") as owned:
        yield owned


@pytest.fixture
def bench_control(request: pytest.FixtureRequest) -> Iterator[ControlClient]:
    """The control API of the test's bench."""
    from fat.bench.client import ControlClient

    if "bench" in request.fixturenames:
        owned = request.getfixturevalue("bench")
    else:
        owned, _ = request.getfixturevalue("stellwerk_small_bench")
    client = ControlClient(owned.endpoints["control"], owned.token)
    yield client
    client.close()


@pytest.fixture
def faults(bench_control: ControlClient) -> Faults:
    """Break things on purpose: `faults.on("agipd", "drop_packets", fraction=0.1)`."""
    from fat.testing.handles import Faults

    return Faults(bench_control)


@pytest.fixture
def manual_clock(bench_control: ControlClient) -> ManualClock:
    """The clock in the test's hands: `manual_clock.advance(0.1)` moves simulated time by 100 ms."""
    from fat.testing.handles import ManualClock

    return ManualClock(bench_control)


@pytest.fixture
def agipd_module(stellwerk_small_bench: tuple[OwnedBench, Any], tmp_path: Path) -> Iterator[AgipdModule]:
    """One simulated AGIPD module with four memory cells, and the socket that it sends to."""
    from fat.testing.handles import AgipdModule

    bench, receiver = stellwerk_small_bench
    module = AgipdModule(bench.endpoints["agipd.control"], receiver, tmp_path / "data" / "truth" / "agipd.h5")
    yield module
    module.control.close()


@pytest.fixture
def dcu(stellwerk_small_bench: tuple[OwnedBench, Any], tmp_path: Path) -> Dcu:
    """A simulated DECTRIS control unit: `dcu.api`, `dcu.stream`, `dcu.stream2`, `dcu.trigger`, `dcu.truth(series)`.

    What it is: `@pytest.mark.dcu_table('triggers = { source = "external" }')`.
    """
    from fat.testing.handles import Dcu

    endpoints = stellwerk_small_bench[0].endpoints
    return Dcu(
        endpoints["dcu.api"],
        endpoints["dcu.stream"],
        endpoints["dcu.stream2"],
        endpoints["dcu.trigger"],
        tmp_path / "data" / "dcu" / "truth",
    )


@pytest.fixture
def caldb(stellwerk_small_bench: tuple[OwnedBench, Any]) -> Caldb:
    """A simulated calibration catalogue: `caldb.rest`, `caldb.store`, `caldb.remotes`."""
    from fat.testing.handles import Caldb

    endpoints = stellwerk_small_bench[0].endpoints
    return Caldb(endpoints["caldb.rest"], Path(endpoints["caldb.store"]), endpoints["caldb.remotes"])


@pytest.fixture
def lab(stellwerk_small_bench: tuple[OwnedBench, Any], tmp_path: Path) -> Lab:
    """A simulated laboratory with two optical modules: `lab["chamber"]`, `lab["degg.5000"]`, `lab.truth(5000)`.

    What is in it: `@pytest.mark.lab_table("modules = 16")`.
    """
    from fat.testing.handles import Lab

    bench = stellwerk_small_bench[0]
    return Lab(bench.endpoints, bench.token, tmp_path / "data" / "lab" / "truth")


@pytest.fixture
def slack(stellwerk_small_bench: tuple[OwnedBench, Any]) -> Slack:
    """A simulated Slack: `slack.base_url`, `slack.messages()`."""
    from fat.testing.handles import Slack

    return Slack(stellwerk_small_bench[0].endpoints["slack"])
