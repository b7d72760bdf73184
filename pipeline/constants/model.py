"""Versions and sets of calibration constants, as values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.constants.conditions import Conditions
from pipeline.errors import ConstantMissing

Strategy = Literal["prior", "closest", "exact"]
"""prior: the latest version that begins at or before the event; closest: also from the future; exact: none but the
one that begins at the event, to the millisecond."""


@dataclass(frozen=True, slots=True)
class ConstantVersion:
    """One injected version: whose, what, since when, and where its data lie."""

    id: int
    calibration: str
    module: int
    """Module (channel) number."""
    pdu: str
    """Physical name of the module."""
    karabo_da: str
    """Aggregator, e.g. AGIPD00."""
    begin_at: datetime
    """When the data were taken."""
    created_at: datetime
    """When the version was injected."""
    file: PurePosixPath
    """Relative to the store's root."""
    data_set: str
    """HDF5 group; the data are `{data_set}/data`."""
    raw_data_location: str = ""
    constant_id: int = 0
    """The catalogue's id of the constant that this is a version of."""
    unit_id: int = 0

    def provenance(self) -> dict[str, Any]:
        """What a record keeps of it, JSON-able."""
        return {
            "ccv_id": self.id,
            "calibration": self.calibration,
            "module": self.module,
            "physical_name": self.pdu,
            "begin_at": self.begin_at.isoformat(),
            "path": str(self.file),
            "dataset": self.data_set,
            "raw_data_location": self.raw_data_location,
        }


@dataclass(frozen=True, slots=True)
class Constant:
    """The data of one version."""

    version: ConstantVersion
    data: NDArray[Any]
    """Fast scan, slow scan, memory cell, then gain or threshold where there is such an axis; f4, masks u4."""


class ConstantSet:
    """Constants by module and calibration."""

    def __init__(self, constants: Iterable[Constant]) -> None:
        self._constants = {(c.version.module, c.version.calibration): c for c in constants}

    @property
    def modules(self) -> tuple[int, ...]:
        """Modules with any constant, ascending."""
        return tuple(sorted({module for module, _ in self._constants}))

    def get(self, module: int, calibration: str) -> NDArray[Any] | None:
        """Array of one constant, axes as `Constant.data`, or None."""
        constant = self._constants.get((module, calibration))
        return None if constant is None else constant.data

    def module(self, module: int) -> dict[str, NDArray[Any]]:
        """All arrays of one module by calibration."""
        return {name: c.data for (number, name), c in self._constants.items() if number == module}

    def versions(self) -> list[ConstantVersion]:
        """The versions, by module and calibration."""
        return [self._constants[key].version for key in sorted(self._constants)]

    def begin_at(self) -> dict[str, dict[int, str]]:
        """Begin of each version, ISO 8601, by calibration and module."""
        return begins_of(self.versions())


def begins_of(versions: Iterable[ConstantVersion]) -> dict[str, dict[int, str]]:
    """Begin of each version, ISO 8601, by calibration and module."""
    begins: dict[str, dict[int, str]] = {}
    for version in versions:
        begins.setdefault(version.calibration, {})[version.module] = version.begin_at.isoformat()
    return begins


def require(
    versions: Iterable[ConstantVersion],
    modules: Collection[int],
    calibrations: Collection[str],
    conditions: Conditions,
    event_at: datetime,
) -> None:
    """Check that each module has each calibration. Raises ConstantMissing for the first that is not there."""
    there = {(version.module, version.calibration) for version in versions}
    for calibration in calibrations:
        for module in sorted(modules):
            if (module, calibration) not in there:
                at = event_at.isoformat(timespec="seconds")
                name = f"module {module}"
                raise ConstantMissing(calibration, name, str(conditions), at, module_number=module)


def dtype_of(calibration: str) -> np.dtype[Any]:
    """u4 for bad-pixel masks, f4 for everything else."""
    return np.dtype(np.uint32 if calibration.startswith("BadPixels") else np.float32)
