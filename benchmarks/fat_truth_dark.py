"""Do measurements in the dark find the truth? `python benchmarks/fat_truth_dark.py [--quick] [--celsius C] [--seed N]`.

A laboratory in skip mode with sixteen modules (`--quick`: two). The tasks of the acceptance test measure gain and dark
rates of all photomultipliers over the modules' consoles and analyse them; the table compares what they wrote into the
papers with the modules' truth files. A second table tells what each task cost: round trips, processor seconds of the
task and of the laboratory. The exit code is 1 when a value is outside its limit.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from fat.degg.station.console import Console
from fat.degg.tasks.gain import analysis_wrapper, measure_gain
from fat.degg.tasks.high_voltage import measure_hv
from fat.degg.tasks.monitoring import constant_monitor, online_mon, slowmon
from fat.degg.tasks.remote import trigger_remote_wrapper
from fat.degg.tasks.scaler import measure_scaler
from fat.degg.tasks.spe import measure_spe
from fat.testing.task_lab import TaskLab, task_lab, true_rate, v0
from scheduler import TaskResult

GAIN_LIMIT, VOLTS_LIMIT, RATE_LIMIT = 0.02, 5.0, 0.05
FIGURES = "[sim.devices.lab.figures]\ncold = {{ start_c = {celsius} }}"


class Costs:
    """What each task cost."""

    def __init__(self, lab: TaskLab) -> None:
        self._lab, self._trips = lab, 0
        self._simulator = psutil.Process(lab.control.status()["processes"]["lab"])
        exchange = Console._send

        def counted(console: Console, *rest: Any) -> None:
            self._trips += 1
            exchange(console, *rest)

        Console._send = counted  # type: ignore[method-assign]
        print(f"{'task':44}{'trips':>8}{'task / s':>10}{'lab / s':>10}{'bench / s':>11}{'wall / s':>10}")

    def of(self, name: str, task: Callable[..., TaskResult], *arguments: Any, **options: Any) -> None:
        """Do a task, and print a row."""
        self._trips = 0
        begun = (time.process_time(), self._simulator_s(), self._lab.clock.now_ns(), time.monotonic())
        task(self._lab.context(name), *arguments, **options)
        ended = (time.process_time(), self._simulator_s(), self._lab.clock.now_ns(), time.monotonic())
        mine, theirs, bench, wall = (after - before for before, after in zip(begun, ended, strict=True))
        print(
            f"{name:44}{self._trips:8}{mine:10.2f}{theirs:10.2f}{bench / 1e9:11.0f}{wall:10.1f}", flush=True
        )

    def _simulator_s(self) -> float:
        times = self._simulator.cpu_times()
        return float(times.user + times.system)


def measure(lab: TaskLab, *, quick: bool) -> None:
    """All measurements in the dark, once."""
    events, periods = (3000, 40) if quick else (10_000, 200)
    costs = Costs(lab)
    costs.of(f"measure_gain, {events} waveforms a point", measure_gain, "truth", events=events)
    costs.of("its analysis", analysis_wrapper)
    costs.of(
        f"measure_scaler, {periods} periods of 1 s", measure_scaler, "truth", periods=periods, period_ms=1000
    )
    costs.of("its analysis", trigger_remote_wrapper, "darkrate")
    costs.of(f"measure_spe, {events} stamps", measure_spe, "truth", events=events)
    costs.of("its analysis", trigger_remote_wrapper, "spe")
    costs.of("measure_hv, steps of 10 V, 5 reads", measure_hv, "truth", step_volts=10, reads=5)
    costs.of("online_mon", online_mon, "truth")
    costs.of("constant_monitor", constant_monitor, "truth")
    costs.of("its analysis", trigger_remote_wrapper, "detailed_monitoring")
    costs.of("slowmon", slowmon, "truth")


def rows(lab: TaskLab) -> Iterator[tuple[str, float, float, float, float, float, float]]:
    """Name; true and measured volts; gain there less 1; true and measured rate; gain by charge stamps less true."""
    celsius = lab.glass_c()
    for port in lab.ports():
        for channel, part in enumerate(("LowerPmt", "UpperPmt")):
            truth, pmt = lab.truth(port, channel), lab.papers(port)[part]
            scan, spe = pmt["GainMeasurement_00"], pmt["SpeMeasurement_00"]
            volts, true_volts = float(scan.get("HV1e7Gain", math.nan)), v0(truth, celsius)
            gain = (volts / true_volts) ** truth["k"] - 1.0
            stamps = float(spe.get("Gain", math.nan)) / (spe["HV"] / true_volts) ** truth["k"] - 1.0
            rate = float(pmt["DarkrateScalerMeasurement_00"].get("DarkRate", math.nan))
            yield f"{port} {part}", true_volts, volts, gain, true_rate(truth, celsius), rate, stamps


def compare(lab: TaskLab) -> bool:
    """Print the table; whether everything is inside its limit."""
    print(f"\nglass at {lab.glass_c():.2f} C")
    print(
        "photomultiplier   HV at 1e7: true  measured  less    gain less 1e7   dark rate: true  measured   less"
    )
    print(f"limit                                     {VOLTS_LIMIT:5.0f} V {GAIN_LIMIT:13.0%}", end="")
    print(f" {RATE_LIMIT:43.0%}")
    found = list(rows(lab))
    good = True
    for name, true_volts, volts, gain, true_hz, rate, _ in found:
        less = rate / true_hz - 1.0
        fine = abs(volts - true_volts) <= VOLTS_LIMIT and abs(gain) <= GAIN_LIMIT and abs(less) <= RATE_LIMIT
        good = good and fine
        print(
            f"{name:16} {true_volts:14.1f} {volts:9.1f} {volts - true_volts:+6.1f} {gain:+14.2%}"
            f" {true_hz:17.0f} {rate:9.0f} {less:+8.2%}{'' if fine else '  OUTSIDE'}"
        )
    worst = [
        max(abs(value) for value in column) for column in zip(*(_off(row) for row in found), strict=True)
    ]
    print(f"worst: {worst[0]:.1f} V, gain {worst[1]:.2%}, dark rate {worst[2]:.2%}", end="")
    print(f"; gain by charge stamps at one voltage {worst[3]:.2%}")
    return good


def _off(row: tuple[str, float, float, float, float, float, float]) -> tuple[float, float, float, float]:
    _, true_volts, volts, gain, true_hz, rate, stamps = row
    return volts - true_volts, gain, rate / true_hz - 1.0, stamps


def main() -> None:
    """Bring the laboratory up, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two modules, fewer events")
    parser.add_argument("--celsius", type=float, default=-40.0)
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = FIGURES.format(celsius=asked.celsius)
        modules = 2 if asked.quick else 16
        with task_lab(Path(folder), modules, seed=asked.seed, figures=figures) as lab:
            measure(lab, quick=asked.quick)
            good = compare(lab)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
