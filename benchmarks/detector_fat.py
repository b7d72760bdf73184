"""The acceptance test of a detector against what is known: healthy ones in many seeds, and the simulator's faults.

    python benchmarks/detector_fat.py [--bench fat-agipd] [--seeds 20] [--faults] [--only drop_packets]

Each line is a whole run of `stellwerk fat run`, small: one memory cell, few trains, a control unit of 96 × 64 pixels.
Faults strike the module of channel 1, or the control unit, for the whole run. A line says what failed, where, and is
wrong (exit code 1) when a healthy device fails anywhere, or a fault is found by nothing of its device.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from fat.configs import shipped_bench

CHANGES: Final[tuple[tuple[str, str], ...]] = (
    ("memory_cells = 4", "memory_cells = 1"),
    ('model = "EIGER2 X 500K"\n', ""),
    ('source = "scene", scene = "flat"', 'source = "synthetic", scene = "flat", width = 96, height = 64'),
    ("[fat.rate]\ntrains = 100", "[fat.rate]\ntrains = 8"),
    ("[fat.dark]\ntrains = 20", "[fat.dark]\ntrains = 10"),
    ("[fat.linearity]\ntrains = 3", "[fat.linearity]\ntrains = 1"),
    ("series_images = 50", "series_images = 10"),
)
SEED: Final = "seed = 20260115"
OF_MODULES: Final[dict[str, dict[str, Any]]] = {
    "drop_packets": {},
    "drop_start": {},
    "drop_end": {},
    "duplicate_packets": {},
    "reorder_packets": {},
    "wrong_magic": {},
    "truncate_block": {},
    "wrong_pulse_count": {},
    "train_id_jump": {},
    "train_id_repeat": {},
    "train_id_zero": {},
    "module_late": {},
    "module_missing": {},
    "bad_status": {},
    "wrong_checksum": {},
    "bad_length": {},
    "dead_asic": {"asic": 5},
    "noisy_module": {},
    "swapped_gain": {},
    "clipped_adc": {},
}
OF_UNITS: Final = (
    "drop_frame",
    "duplicate_frame",
    "reorder_frames",
    "corrupt_blob",
    "truncated_blob",
    "missing_end",
)


def bench_file(folder: Path, bench: str, seed: int, fault: str = "", device: str = "") -> Path:
    """A small bench with a seed and, when named, a fault from the beginning."""
    text = shipped_bench(bench).read_text(encoding="utf-8").replace(SEED, f"seed = {seed}")
    for old, new in CHANGES:
        text = text.replace(old, new)
    if fault:
        more = {"module": 1, **OF_MODULES[fault]} if fault in OF_MODULES else {}
        listed = ", ".join(f"{key} = {value}" for key, value in more.items())
        text += f'\n[[sim.faults]]\nat_s = 0.0\ndevice = "{device}"\nfault = "{fault}"\nparameters = {{ {listed} }}\n'
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run(path: Path) -> dict[str, Any]:
    """Carry a plan out; its record."""
    command = [sys.executable, "-m", "fat", "fat", "run", str(path)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
    found = path.parent / "runs/latest/record.json"
    if not found.exists():
        raise SystemExit(done.stdout + done.stderr)
    record: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return record


def failed(record: dict[str, Any]) -> dict[str, list[str]]:
    """What failed, by device; tasks in ERROR under their own name."""
    out: dict[str, list[str]] = {}
    for _, measured in record["measurements"]:
        if measured["verdict"] == "FAIL":
            names = out.setdefault(str(measured.get("device")), [])
            if measured["name"] not in names:
                names.append(measured["name"])
    for task in record["tasks"]:
        if task["verdict"] == "ERROR":
            out.setdefault(f"ERROR {task['id']}", []).append(task["error"])
    return out


def attempt(label: str, bench: str, seed: int, ill: str = "", fault: str = "", device: str = "") -> bool:
    """One run, one line; whether it is as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        found = failed(run(bench_file(Path(folder), bench, seed, fault, device)))
        after, took_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    core_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    right = (set(found) == {ill}) if ill else not found
    said = "; ".join(f"{name}: {', '.join(what)}" for name, what in found.items()) or "nothing failed"
    print(
        f"{'ok   ' if right else 'WRONG'} {label:<22} {took_s:5.0f} s {core_s:5.0f} core-s  {said}",
        flush=True,
    )
    return right


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bench", default="fat-agipd")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args()
    kind = given.bench.removeprefix("fat-")
    right = [attempt(f"seed {seed}", given.bench, seed) for seed in range(1, given.seeds + 1)]
    wanted = [(fault, f"{kind.upper()}01", kind) for fault in OF_MODULES if kind != "dcu"]
    wanted += [(fault, "DCU", "dcu") for fault in OF_UNITS]
    right += [
        attempt(fault, given.bench, 1, ill, fault, device)
        for fault, ill, device in wanted
        if fault in given.only or (given.faults and not given.only)
    ]
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())
