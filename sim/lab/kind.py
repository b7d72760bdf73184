"""The device kind `lab`: from a bench file's table to one process with all instruments and modules.

They share one world, so they are one device; each part has fault switches and an address of its own. Light to import:
what stands in the laboratory is imported when a bench has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.kernel import DeviceKind, FaultSpec, Server, Surroundings
from sim.lab.table import LabTable


def parts(table: LabTable) -> Mapping[str, Sequence[FaultSpec]]:
    """Everything that can be broken, by part."""
    from sim.lab import build as building

    return building.parts(table)


def build(around: Surroundings, table: LabTable) -> Mapping[str, Server]:
    """One world, and everything that stands in it."""
    from sim.lab.build import build_laboratory

    return build_laboratory(around, table)


KIND = DeviceKind(
    name="lab",
    about="A laboratory: laser, filter wheels, freezer, instruments, and optical modules that share their physics.",
    config=LabTable,
    faults=(),
    build=build,
    families=("degg", "icm"),
    parts=parts,
)
