"""Numbers of measurements, of runs, of launches: always the first that is free, or one more than the highest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

MONITORING: Final = frozenset(
    {"DarkrateTemperature", "AdvancedMonitoring", "HVMonitoring", "OnlineMon", "RebootMonitoring"}
)
"""Measurements that are taken so often that their keys have four digits."""
_KEY: Final = re.compile(r"(?P<name>.+)_(?P<number>[0-9]+)")
_RUN: Final = re.compile(r"run_([0-9]+)\.json")


def create_key(entries: Iterable[str], name: str) -> str:
    """The first free of `name_00`, `name_01`, …; monitoring keys have four digits. After `name_99` comes `name_100`."""
    taken = set(_numbered(entries, name).values())
    free = next(number for number in count() if number not in taken)
    return f"{name}_{free:0{digits_of(name)}d}"


def digits_of(name: str) -> int:
    """How many digits the keys of a measurement have at least."""
    return 4 if name in MONITORING else 2


def number_of(key: str, name: str) -> int | None:
    """The number of a key of that name: 3 of `name_03`, `name_0003`; None when it is another's."""
    found = _KEY.fullmatch(key)
    return int(found["number"]) if found is not None and found["name"] == name else None


def keys_of(entries: Mapping[str, Any], name: str) -> list[str]:
    """The keys of that name by number, the lowest first."""
    numbered = _numbered(entries, name)
    return sorted(numbered, key=lambda key: numbered[key])


def _numbered(entries: Iterable[str], name: str) -> dict[str, int]:
    """The keys of that name, with their numbers."""
    alike = [key for key in entries if key.startswith(name)]  # of hundreds, most are another's
    return {key: number for key in alike if (number := number_of(key, name)) is not None}


def next_run_number(run_dir: Path) -> int:
    """One more than the highest run below `{run_dir}/run`, 1 if there is none."""
    return max(run_numbers(run_dir), default=0) + 1


def run_numbers(run_dir: Path) -> list[int]:
    """The numbers of all runs, ascending."""
    found = (_RUN.fullmatch(path.name) for path in (run_dir / "run").glob("run_*.json"))
    return sorted(int(match[1]) for match in found if match is not None)


def spelled(run: int) -> str:
    """A run number as it is always written: 12 is `00012`."""
    return f"{run:05d}"
