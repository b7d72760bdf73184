"""Prepared corrections on a shelf: workers in other processes fetch them from files.

Sent with each job, the constants of a module would be pickled for each of its files. Worse, they are larger than a
pipe: Python 3.11.2 waits for ever when a worker is killed while a job is written for it (cpython issue 94777).
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

from pipeline.correct import ModuleCorrection
from pipeline.offline.output import writing

NAME: Final = ".corrections"
KEPT: Final = 2
"""Modules that a worker keeps; files of a module mostly come one after the other."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """Where a module's prepared correction lies."""

    path: Path

    def take(self) -> ModuleCorrection:
        """Read it, or remember it."""
        return _read(self.path)


Prepared: TypeAlias = ModuleCorrection | Shelved


@lru_cache(maxsize=KEPT)
def _read(path: Path) -> ModuleCorrection:
    with path.open("rb") as file:
        made: ModuleCorrection = pickle.load(file)
    return made


@contextmanager
def prepared_for(
    executor: Executor, out: Path, corrections: Mapping[int, ModuleCorrection]
) -> Iterator[Callable[[int], Prepared]]:
    """What a job gets for a module: the correction itself for threads, its place on the shelf for anybody else.

    Raises OutputUnwritable. A shelf that a killed correction left is made anew.
    """
    folder = out / NAME
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(executor, ThreadPoolExecutor):
        yield lambda module: corrections[module]
        return
    try:
        for module, correction in corrections.items():
            path = folder / f"{module:02d}.pickle"
            with writing(path):
                folder.mkdir(exist_ok=True)
                with path.open("wb") as file:
                    pickle.dump(correction, file, pickle.HIGHEST_PROTOCOL)
        yield lambda module: Shelved(folder / f"{module:02d}.pickle")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
