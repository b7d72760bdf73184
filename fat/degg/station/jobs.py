"""The parallel rule: at most one job at a wire pair at a time; wire pairs work side by side.

Modules with the same address of all pairs run together (four jobs). Each pair has a thread that takes its modules in
the order of their addresses. A job that fails does not stop the others; all failures reach the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from fat.degg.station.errors import MeasurementFailed
from fat.degg.station.module import Module

T = TypeVar("T")


def group_of(port: int, bases: Iterable[int]) -> int:
    """The base port of a module's wire pair: the highest that is not above its own."""
    return max((base for base in bases if base <= port), default=port)


def on_each(
    modules: Sequence[Module],
    work: Callable[[Module], T],
    bases: Iterable[int],
    jobs: int = 4,
    pool: Executor | None = None,
) -> tuple[dict[Module, T], dict[Module, Exception]]:
    """Do *work* at each module by the parallel rule. Returns what came of it, and who failed.

    bases  base ports of the wire pairs
    jobs   at most so many wire pairs at a time
    pool   so many threads, none of them at work; whoever is interrupted has to await what they do. None: threads of
           its own, which have ended when it returns or is interrupted
    """
    if jobs < 1:
        raise ValueError(f"there must be at least one job at a time, not {jobs}")
    groups: dict[int, list[Module]] = {}
    known = sorted(bases)
    for module in sorted(modules, key=lambda m: m.port):
        groups.setdefault(group_of(module.port, known), []).append(module)
    results: dict[Module, T] = {}
    failures: dict[Module, Exception] = {}

    def one_pair(members: Sequence[Module]) -> None:
        for module in members:
            try:
                results[module] = work(module)
            except Exception as error:  # noqa: BLE001  # collected: the others go on, the caller is told
                failures[module] = error

    if len(groups) <= 1 or jobs == 1:
        for members in groups.values():
            one_pair(members)
    elif pool is not None:
        list(pool.map(one_pair, groups.values()))
    else:
        with ThreadPoolExecutor(min(jobs, len(groups)), thread_name_prefix="wire pair") as own:
            list(own.map(one_pair, groups.values()))
    return {m: results[m] for m in modules if m in results}, {
        m: failures[m] for m in modules if m in failures
    }


def each(
    modules: Sequence[Module],
    work: Callable[[Module], T],
    bases: Iterable[int],
    jobs: int = 4,
    pool: Executor | None = None,
) -> dict[Module, T]:
    """The same; raises MeasurementFailed, naming the modules, when a job has failed."""
    results, failures = on_each(modules, work, bases, jobs, pool)
    if failures:
        raise MeasurementFailed({module.name: error for module, error in failures.items()})
    return results
