"""The device kind `dcu`. Light to import: what makes and sends images is imported when a bench builds one."""

from __future__ import annotations

from collections.abc import Mapping

from sim.dectris.fault_specs import FAULTS
from sim.dectris.table import DcuTable
from sim.kernel.device import DeviceKind, Server, Surroundings


def build(around: Surroundings, table: DcuTable) -> Mapping[str, Server]:
    """The control unit's servers: `stream`, `stream2`, `trigger` and `api`. Raises ConfigurationRejected."""
    from sim.dectris.build import build_unit

    return build_unit(around, table)


KIND = DeviceKind(
    name="dcu",
    about="DECTRIS detector control unit: SIMPLON REST, both streams, file writer, monitor, trigger input",
    config=DcuTable,
    faults=FAULTS,
    build=build,
)
