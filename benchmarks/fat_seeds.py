"""Whole acceptance runs of optical modules over many seeds: `python benchmarks/fat_seeds.py [--defects] [--quick]`.

Healthy: the short schedule on a laboratory of each seed. No module may miss a goalpost: nothing is wrong with any.
With `--defects` five modules of a laboratory have one defect each, and each must be named in the run's report.

    --seeds N      so many seeds (20)
    --first N      the first of them (1)
    --modules N    modules of a laboratory (16; with defects at least 5)
    --quick        one seed, two modules (five with defects)
    --keep DIR     leave bench files, data and reports there

The exit code is 1 when a healthy module has failed, or a defect was not named.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler import record as scheduler_record

BENCH = """
[bench]
name = "degg"
seed = {seed}
data_dir = "{data}"
[sim.clock]
mode = "skip"
[sim.devices.lab]
kind = "lab"
modules = {{ count = {modules} }}
[scheduler]
stop_grace_s = 20.0
[fat]
plan = "degg"
[fat.degg]
schedule = "short"
"""
FIRST_SERIAL = 100
AFTER_SETUP_S = 300.0


@dataclass(frozen=True)
class Defect:
    """What is wrong with one module, and what the report calls it."""

    port: int
    fault: str
    parameters: str
    part: str
    """Empty: the module itself."""
    named: str
    """What the report calls it."""

    @property
    def serial(self) -> str:
        """Of the module."""
        return f"DEgg2021-3-{FIRST_SERIAL + self.port - 5000}"

    def lines(self) -> str:
        """For the bench file."""
        return (
            f'[[sim.faults]]\nat_s = {AFTER_SETUP_S}\ndevice = "degg.{self.port}"\nfault = "{self.fault}"\n'
            f"parameters = {{ {self.parameters} }}\n"
        )


DEFECTS = (
    Defect(5000, "dead_fibre", "channel = 0", "LowerPmt", "dead fibre"),
    Defect(5001, "dead_led", "led = 5", "LowerPmt", "dead LED"),
    Defect(5002, "wrong_fpga", "version = 268", "", "reconfigured"),
    Defect(5003, "noisy_hv", "channel = 1", "UpperPmt", "noisy high voltage"),
    Defect(5004, "high_dark_rate", "channel = 0", "LowerPmt", "high dark rate"),
)


def main() -> int:
    """Run, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--modules", type=int, default=16)
    parser.add_argument("--defects", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.modules = 1, 5 if given.defects else 2
    with tempfile.TemporaryDirectory(prefix="stellwerk-seeds-") as temporary:
        root = given.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        judge: Callable[[dict[str, Any]], int] = defects_named if given.defects else nobody_failed
        faults = "".join(defect.lines() for defect in DEFECTS) if given.defects else ""
        print(f"{given.modules} modules, {'five with a defect' if given.defects else 'all of them healthy'}")
        print("seed  verdict  measurements  missed  errors   wall s")
        wrong = 0
        for seed in range(given.first, given.first + given.seeds):
            began = time.monotonic()
            record = acceptance_run(root / f"seed_{seed}", seed, given.modules, faults)
            show(seed, record, time.monotonic() - began)
            wrong += judge(record)
    print("nothing is wrong" if not wrong else f"{wrong} things are wrong")
    return 1 if wrong else 0


def acceptance_run(folder: Path, seed: int, modules: int, faults: str) -> dict[str, Any]:
    """The record of one run."""
    folder.mkdir()
    file = folder / "degg.toml"
    file.write_text(BENCH.format(seed=seed, data=folder / "data", modules=modules) + faults)
    command = [sys.executable, "-m", "fat", "fat", "run", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        told = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        sys.exit(f"seed {seed}: the run did not end as runs do:\n{done.stdout}\n{done.stderr}")
    run_dir = Path(told["folder"])
    found: dict[str, Any] = json.loads((run_dir / "record.json").read_text())
    page = (run_dir / "report.html").read_text()
    sentences = [html.unescape(text) for text in re.findall(r"<li[^>]*>([^<]*)", page)]
    return {**found, "tasks": scheduler_record(run_dir)["tasks"], "sentences": sentences}


def show(seed: int, record: dict[str, Any], wall_s: float) -> None:
    """One row."""
    measured = [m for _, m in record["measurements"]]
    missed = sum(m["verdict"] == "FAIL" for m in measured)
    errors = sum(task["verdict"] == "ERROR" for task in record["tasks"])
    print(
        f"{seed:>4}  {record['verdict']:<7}  {len(measured):>12}  {missed:>6}  {errors:>6}  {wall_s:>7.0f}",
        flush=True,
    )


def nobody_failed(record: dict[str, Any]) -> int:
    """How many goalposts were missed and tasks went wrong; each is told."""
    wrong = 0
    for task, m in record["measurements"]:
        if m["verdict"] == "FAIL":
            wrong += 1
            print(
                f"      {task}: {m.get('device')} {m.get('part') or ''} {m['name']} = {m['value']} {m['unit']}"
            )
    for task in record["tasks"]:
        if task["verdict"] in ("ERROR", "ABORTED"):
            wrong += 1
            print(f"      {task['id']}: {task['error']}")
    return wrong


def defects_named(record: dict[str, Any]) -> int:
    """How many defects nobody can read of in the record, and how many healthy modules have failed."""
    wrong = 0
    for defect in DEFECTS:
        by = named_by(defect, record)
        wrong += not by
        print(f"      {defect.fault:<15} {defect.serial} {defect.part:<9} {by or 'NOT NAMED'}")
    ill = {(defect.serial, defect.part) for defect in DEFECTS}
    for task, m in record["measurements"]:
        if m["verdict"] == "FAIL" and (m.get("device"), m.get("part") or "") not in ill:
            wrong += 1
            print(
                f"      a healthy one: {task}: {m.get('device')} {m.get('part') or ''} {m['name']} = {m['value']}"
            )
    return wrong


def named_by(defect: Defect, record: dict[str, Any]) -> str:
    """The sentence of the run's report that names a defect with its module; empty when none does."""
    of = f"{defect.serial} {defect.part}:" if defect.part else defect.serial
    named = (text for text in record["sentences"] if of in text and defect.named in text)
    return next(named, "")


if __name__ == "__main__":
    sys.exit(main())
