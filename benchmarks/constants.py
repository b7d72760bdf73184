"""What loading constants costs, against reading the same bytes with plain h5py.

    python benchmarks/constants.py [--cells 352] [--modules 2] [--rounds 5] [--folder /tmp]

Loads what the AGIPD recipe needs, module by module: looked up over REST in a catalogue of its own process, read from
its store, checked. Each way is measured in turn, round by round, after a round to warm up; the files are in the page
cache. Prints medians of the time that passed and of the processor time of all threads, with ratios to plain h5py: on a
machine that others use, too, the second says more.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.config import ConstantsTable, CorrectionTable
from pipeline.constants import AgipdConditions, Catalogue, CatalogueRest, Origin, inject, open_catalogue
from pipeline.constants.model import ConstantVersion
from pipeline.correct import recipe_of

DETECTOR = "SPB_DET_AGIPD1M-1"
BEGIN = datetime(2026, 1, 15, 8, tzinfo=UTC)
ORDER = {
    "devices": [{"name": "caldb", "kind": "caldb", "table": {}}],
    "seed": 1,
    "clock": None,
    "epoch_unix_ns": None,
    "endpoints": {},
}


def start_catalogue(folder: Path) -> tuple[subprocess.Popen[str], str, Path]:
    """A catalogue in a process of its own, its address and its store."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sim.kernel.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({**ORDER, "data_dir": str(folder)}) + "\n")
    process.stdin.flush()
    ready = json.loads(process.stdout.readline())["ready"]
    return process, ready["caldb.rest"], Path(ready["caldb.store"])


def fill(
    catalogue: Catalogue, conditions: AgipdConditions, names: Sequence[str], modules: Sequence[int]
) -> None:
    """Inject constants whose values are noise, and masks with one bad pixel in two hundred."""
    rng = np.random.default_rng(1)
    for name in names:
        shape = conditions.shape_of(name)
        if name.startswith("BadPixels"):
            data = (rng.random(shape, np.float32) < 0.005).astype(np.uint32) * 3
        else:
            data = rng.random(shape, np.float32) + 1
        for module in modules:
            inject(catalogue, module, {name: data}, conditions, Origin(BEGIN, "benchmark"))


def plain(store: Path, versions: Sequence[ConstantVersion]) -> list[NDArray[Any]]:
    """The same arrays with h5py, one dataset after the other."""
    found = []
    for version in versions:
        with h5py.File(store / version.file) as file:
            found.append(file[f"{version.data_set}/data"][()])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=352)
    parser.add_argument("--modules", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the store is made for the time being"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    process, address, store = start_catalogue(folder)
    try:
        measure(folder, address, store, options)
    finally:
        process.kill()
        shutil.rmtree(folder)


def measure(folder: Path, address: str, store: Path, options: argparse.Namespace) -> None:
    """All ways in turn, as many rounds as wanted."""
    conditions = AgipdConditions(options.cells, 1.1)
    recipe = recipe_of(CorrectionTable(), conditions)
    modules = range(options.modules)
    rest = CatalogueRest(address)
    catalogue = Catalogue(rest, store, DETECTOR)
    fill(catalogue, conditions, recipe.needed, modules)
    table = ConstantsTable(cache_gb=100.0)

    def select(catalogue: Catalogue) -> list[ConstantVersion]:
        return catalogue.select(conditions, recipe.needed, modules, BEGIN, welcome=recipe.welcome)

    versions = select(catalogue)
    of_module = [[v for v in versions if v.module == module] for module in modules]

    def load(catalogue: Catalogue, asked: Callable[[Catalogue], list[ConstantVersion]] | None = None) -> None:
        found = versions if asked is None else asked(catalogue)
        for module in modules:
            catalogue.load([v for v in found if v.module == module], conditions)

    def with_cache(clear: bool) -> None:
        with open_catalogue(address, store, DETECTOR, table, folder / "cache") as cached:
            if clear and cached.cache is not None:
                cached.cache.clear()
            load(cached, select)

    def plain_all() -> None:
        for ours in of_module:
            plain(store, ours)

    ways: dict[str, Callable[[], Any]] = {
        "plain h5py": plain_all,
        "load": lambda: load(catalogue),
        "look up and load": lambda: load(catalogue, select),
        "the same, cache filled": lambda: with_cache(False),
    }
    # By itself at the end: what it writes keeps the disk and the page cache busy for a while.
    writing = {"the same, cache empty": lambda: with_cache(True)}
    took = {**measured(ways, options.rounds), **measured(writing, options.rounds)}
    rest.close()
    size = sum(array.nbytes for ours in of_module for array in plain(store, ours))
    print(
        f"{options.modules} modules, {options.cells} cells, {', '.join(recipe.needed)}: {size / 1e6:.0f} MB, "
        f"medians of {options.rounds}"
    )
    heads = ("s/module", "GB/s", "ratio", "fastest", "slowest", "core s", "ratio")
    print(f"{'':26s}" + "".join(f"{head:>9s}" for head in heads))
    wall, core = (statistics.median(times) for times in zip(*took["plain h5py"], strict=True))
    for way, times in took.items():
        walls, cores = zip(*times, strict=True)
        middle, used = statistics.median(walls), statistics.median(cores)
        each = [value / options.modules for value in (middle, min(walls), max(walls), used)]
        row = (each[0], size / 1e9 / middle, middle / wall, *each[1:], used / core)
        print(f"{way:26s}" + "".join(f"{value:9.3f}" for value in row))


def measured(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Time that passed and processor time of each way in each round, after one to warm up."""
    took: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    shuffle = random.Random(1)
    for turn in range(rounds + 1):
        # Another order each time: who comes after whom finds memory and caches in another state.
        order = list(ways)
        shuffle.shuffle(order)
        for way, act in ((way, ways[way]) for way in order):
            began, began_core = time.perf_counter(), time.process_time()
            act()
            if turn:
                took[way].append((time.perf_counter() - began, time.process_time() - began_core))
    return took


if __name__ == "__main__":
    main()
