"""What every way to a catalogue does alike: questions put together, fallbacks, and places in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pipeline.constants.conditions import Conditions, Parameter
from pipeline.constants.model import ConstantVersion
from pipeline.errors import ConstantUnreadable

ParametersOf: TypeAlias = Mapping[str, Mapping[str, Parameter]]
"""Stated parameters by calibration."""


def find_or_fall_back(
    ask: Callable[[ParametersOf], list[ConstantVersion]], conditions: Conditions, calibrations: Sequence[str]
) -> list[ConstantVersion]:
    """What is found under the stated conditions, and for modules without it under those that they fall back to."""
    found = ask({name: conditions.parameters(name) for name in calibrations})
    second = {name: other for name in calibrations if (other := conditions.fallback(name)) is not None}
    there = {(version.module, version.calibration) for version in found}
    return found + [version for version in ask(second) if (version.module, version.calibration) not in there]


def asked_together(parameters_of: ParametersOf) -> list[tuple[dict[str, Parameter], list[str]]]:
    """Calibrations with the same parameters, which one question serves."""
    groups: dict[tuple[tuple[str, Parameter], ...], list[str]] = defaultdict(list)
    for calibration, parameters in parameters_of.items():
        groups[tuple(parameters.items())].append(calibration)
    return [(dict(wanted), together) for wanted, together in groups.items()]


def path_in_store(store: Path, version: ConstantVersion) -> Path:
    """A version's file. Raises ConstantUnreadable when the catalogue points outside the store."""
    path = (store / version.file).resolve()
    if not path.is_relative_to(store.resolve()):
        raise ConstantUnreadable(path, f"lies outside the store {store}; the catalogue's entry is wrong")
    return path
