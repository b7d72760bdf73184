"""Do measurements with light find the truth? `python benchmarks/fat_truth_light.py [--quick] [--compared]`.

A laboratory in skip mode with sixteen modules (`--quick`: two), high voltage at the true gain of 1e7. The tasks of the
acceptance test measure all photomultipliers over the modules' consoles and analyse them. The first table tells what
each task cost; the second compares what they wrote into the papers with the modules' truth files; the last looks for
defects that were made on purpose. The exit code is 1 when a value is outside its limit, a healthy module fails, or a
defect is not found. `--compared` does what is compared with the truth, and nothing else.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fat.degg.tasks.cameras import camera_file_checker, measure_camera, measure_pattern
from fat.degg.tasks.flasher import measure_baseline_flasher
from fat.degg.tasks.linearity import measure_linearity
from fat.degg.tasks.pulses import measure_long_waveform, measure_pulsed_waveform
from fat.degg.tasks.remote import trigger_remote_wrapper
from fat.degg.tasks.self_tests import measure_stf, stf_ana
from fat.degg.tasks.timing import run_timing
from fat.degg.tasks.visibility import measure_visibility
from fat.testing.task_costs import TaskCosts
from fat.testing.task_lab import TaskLab, know_voltages, task_lab
from scheduler import TaskResult

TABLE = """scpi = {{ laser_volts = 12.0, laser_on = true }}
[sim.devices.lab.figures]
cold = {{ start_c = {celsius} }}"""
PARTS = ("LowerPmt", "UpperPmt")


@dataclass(frozen=True)
class Column:
    """What is compared: the papers' entry and key, the truth's key, the limit."""

    head: str
    entry: str
    key: str
    truth: str
    limit: float


COLUMNS = (
    Column("charge ratio", "LinearityMeasurement", "ChargeRatio200pe", "charge_ratio_200_pe", 0.05),
    Column("current ratio", "LinearityMeasurement", "CurrentRatio10mA", "current_ratio_10_ma", 0.05),
    Column("sigma MPE / ns", "TransitTimeSpread", "SigmaMpe", "sigma_tt_mpe_ns", 0.2),
    Column("sigma SPE / ns", "TransitTimeSpread", "SigmaSpe", "sigma_tt_spe_ns", 0.2),
)
Analysis = tuple[str, Callable[..., TaskResult], tuple[Any, ...]]


def measure(lab: TaskLab, *, quick: bool, compared: bool) -> list[str]:
    """All measurements with light, or those that are compared, once; what failed."""
    costs, failed = TaskCosts(lab, partial(print, flush=True)), list[str]()
    frames = 5 if quick else 30

    def do(name: str, task: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        if compared and not name.startswith(("measure_linearity", "linearity", "run_timing", "tts")):
            return
        result = costs.of(name, task, *arguments, **options)
        if isinstance(result, TaskResult):
            failed.extend(failures(result))

    do("check-laser-visibility", measure_visibility, "truth")
    do("measure_stf", measure_stf, "truth")
    do("stf_ana", stf_ana)
    do("measure_linearity", measure_linearity, "truth")
    do("linearity, analysis", trigger_remote_wrapper, "linearity")
    do("measure_pulsed_waveform", measure_pulsed_waveform, "truth")
    do("double_pulse, analysis", trigger_remote_wrapper, "double_pulse")
    do("measure_pulsed_waveform, droop", measure_pulsed_waveform, "truth", "droop")
    do("burst_pulse, analysis", trigger_remote_wrapper, "burst_pulse")
    do("measure_long_waveform", measure_long_waveform, "truth")
    do("long_waveform, analysis", trigger_remote_wrapper, "long_waveform")
    do("run_timing", run_timing, "truth")
    do("tts, analysis", trigger_remote_wrapper, "tts")
    do("measure_baseline_flasher", measure_baseline_flasher, "truth")
    do("flasher_chargestamp, analysis", trigger_remote_wrapper, "flasher_chargestamp")
    do(f"measure_camera, {frames} pictures", measure_camera, "truth", frames=frames)
    do("measure_pattern", measure_pattern, "truth")
    do("camera_file_checker", camera_file_checker)
    return failed


def failures(result: TaskResult) -> Iterator[str]:
    """What missed a limit."""
    for told in result.outputs.get("measurements", ()):
        if told["verdict"] == "FAIL":
            where = " ".join(str(told.get(key, "")) for key in ("device", "part", "name"))
            yield f"{where}: {told['value']} ({told['about']})"


def compare(lab: TaskLab) -> bool:
    """Print the table; whether everything is inside its limit."""
    print(f"\nglass at {lab.glass_c():.2f} C; true, measured, less")
    print(" " * 16 + "".join(f"{column.head:^26}" for column in COLUMNS))
    print("limit" + " " * 11 + "".join(f"{column.limit:26.2f}" for column in COLUMNS))
    worst, good = [0.0] * len(COLUMNS), True
    for port in lab.ports():
        papers = lab.papers(port)
        for channel, part in enumerate(PARTS):
            truth, line, fine = lab.truth(port, channel), f"{port} {part:11}", True
            for place, column in enumerate(COLUMNS):
                true = float(truth[column.truth])
                found = float(papers[part][f"{column.entry}_00"].get(column.key, math.nan))
                worst[place] = max(worst[place], abs(found - true))
                fine = fine and abs(found - true) <= column.limit
                line += f"{true:9.3f}{found:8.3f}{found - true:+9.3f}"
            good = good and fine
            print(line + ("" if fine else "  OUTSIDE"))
    print("worst" + " " * 11 + "".join(f"{value:26.3f}" for value in worst))
    return good


def defects(lab: TaskLab) -> bool:
    """Make a dead fibre, a dead LED and a wrong firmware; whether the analyses name them, and nothing else."""
    lab.fault("degg.5000", "dead_fibre", channel=1)
    lab.fault("degg.5001", "dead_led", led=7)
    lab.fault("degg.5001", "wrong_fpga")
    seen = [one.pmt.name for one in measure_visibility(lab.context("v"), "") if not one.seen.sees_laser]
    measure_linearity(lab.context("l"), "defects", events=500)
    measure_baseline_flasher(lab.context("f"), "defects", events=100)
    measure_stf(lab.context("s"), "defects")
    analyses: list[TaskResult] = [
        trigger_remote_wrapper(lab.context("la"), "linearity"),
        trigger_remote_wrapper(lab.context("fa"), "flasher_chargestamp"),
        stf_ana(lab.context("sa")),
    ]
    print("\nmade: dead fibre of degg.5000 UpperPmt, dead LED 7 and wrong firmware of degg.5001; found:")
    print(f"  check-laser-visibility: {', '.join(seen)}")
    found = [failure for result in analyses for failure in failures(result)]
    print("\n".join(f"  {failure}" for failure in found))
    dark, led, firmware = (
        [failure for failure in found if mark in failure]
        for mark in ("laser is not seen", "LED 7", "did not pass: flash")
    )
    named = len(dark) == 3 and len(led) == 1 and len(firmware) == 1 and len(found) == 5
    return len(seen) == 1 and "UpperPmt" in seen[0] and named


def main() -> None:
    """Bring the laboratory up, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two modules, fewer pictures")
    parser.add_argument("--compared", action="store_true", help="linearity and transit times alone")
    parser.add_argument("--celsius", type=float, default=-40.0)
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = TABLE.format(celsius=asked.celsius)
        with task_lab(Path(folder), 2 if asked.quick else 16, seed=asked.seed, figures=table) as lab:
            know_voltages(lab)
            failed = measure(lab, quick=asked.quick, compared=asked.compared)
            good = compare(lab)
            print(f"\nhealthy modules: {len(failed)} values missed a limit")
            print("\n".join(f"  {failure}" for failure in failed))
            good = (asked.compared or defects(lab)) and good and not failed
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
