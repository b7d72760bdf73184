"""The instruments that the next task needs: asked between tasks, in one process with what else is looked at."""

from __future__ import annotations

from fat.degg.station.needed import SURROUNDINGS, Instrument, ask, needed_by
from fat.degg.station.station import Station
from fat.degg.tasks.freezer_change import by_chamber
from fat.degg.tasks.status import modules_well
from fat.tasks.checks import bench_alive
from scheduler import CheckResult, TaskContext
from scheduler.calling import resolve
from scheduler.notify.notice import Severity


def laboratory_well(context: TaskContext) -> CheckResult:
    """Between tasks: the modules (`modules_well`), and the instruments that the next task needs."""
    return _together(modules_well(context), instruments_well(context))


def bench_well(context: TaskContext) -> CheckResult:
    """Between tasks of a bench's plan: its processes (`bench_alive`), and the instruments that the next task needs."""
    return _together(bench_alive(context), instruments_well(context))


def instruments_well(context: TaskContext) -> CheckResult:
    """Whether every instrument answers that the next task says it needs (`needs_instruments`), and no other one.

    What another task uses beside is left alone: serial ports have one reader. A thermometer or humidity sensor that is
    silent is told to people, and stops nothing: tasks go on without.
    """
    instruments = _needed(context)
    if not instruments:
        return CheckResult(True, "")
    with Station.of(context, {}) as station:
        asked = ask(station, instruments)
    worse = [sentence for instrument, sentence in asked.ill.items() if instrument not in SURROUNDINGS]
    if worse:
        return CheckResult(False, f"{'; '.join(worse)}. See to it, then resume")
    gaps = list(asked.ill.values())
    if gaps:
        context.notify(f"before {context.title}: {'; '.join(gaps)}", severity=Severity.WARNING)
    return CheckResult(True, "; ".join([*asked.well.values(), *gaps]))


def _together(*found: CheckResult) -> CheckResult:
    """All of them in one: what is not well first, for that stops the run."""
    told = sorted(found, key=lambda one: one.ok)
    return CheckResult(
        all(one.ok for one in found),
        "; ".join(one.text for one in told if one.text),
        "; ".join(one.repaired for one in told if one.repaired),
    )


def _needed(context: TaskContext) -> tuple[Instrument, ...]:
    """What the next task's function says; of the ways to the freezer the one that the plan has chosen."""
    other = Instrument.KEYS if by_chamber(context) else Instrument.CHAMBER
    return tuple(instrument for instrument in needed_by(resolve(context.call)) if instrument is not other)
