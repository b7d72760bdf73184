"""Work at many modules: threads that stay with the station, and what an interruption leaves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from fat.degg.station.module import Module
from fat.degg.station.station import Station

PORTS = [5000, 5001, 5004, 5005, 5008, 5012]
ENDPOINTS = {f"degg.{port}": "tcp://127.0.0.1:1" for port in PORTS} | {
    f"icm.{base + 1000}": "tcp://127.0.0.1:1" for base in (5000, 5004, 5008, 5012)
}


class Interrupted(BaseException):
    """As the engine ends a task."""


@pytest.fixture
def interrupted() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_wire_pairs_work_side_by_side_each_in_its_order_and_again() -> None:
    together, order = threading.Barrier(4), list[int]()

    def work(module: Module) -> int:
        if module.port % 4 == 0:
            together.wait(10)  # all four pairs are at work at the same time
        order.append(module.port)
        return module.port

    with Station(ENDPOINTS, lambda _: None) as station:
        for _ in range(3):
            order.clear()
            assert list(station.each(list(station.modules.values()), work).values()) == PORTS
            assert order.index(5001) > order.index(5000)
            assert order.index(5005) > order.index(5004)


def test_whoever_is_interrupted_leaves_when_no_job_runs_any_more(interrupted: None) -> None:
    main, left, ended = threading.main_thread().ident, threading.Event(), list[int]()
    assert main is not None

    def work(module: Module) -> None:
        if module.port == 5012:
            signal.pthread_kill(main, signal.SIGUSR1)
        elif module.port == 5000:
            left.wait(0.3)  # goes on at once if the caller has left it alone
        ended.append(module.port)

    with Station(ENDPOINTS, lambda _: None) as station:
        with pytest.raises(Interrupted):
            station.each(list(station.modules.values()), work)
        assert {5000, 5012} <= set(ended)
        left.set()
        assert station.each([station.modules[5000]], lambda module: module.port)
