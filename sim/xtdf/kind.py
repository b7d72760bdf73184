"""The device kind `agipd`. Light to import: what computes is imported when a bench builds one."""

from __future__ import annotations

from collections.abc import Mapping

from sim.kernel.device import DeviceKind, Server, Surroundings
from sim.xtdf.config import AgipdTable
from sim.xtdf.fault_specs import FAULTS


def build(surroundings: Surroundings, table: AgipdTable) -> Mapping[str, Server]:
    """Build the detector. Endpoint suffix: `control`. Raises SimError."""
    from sim.xtdf.build import build_agipd

    return build_agipd(surroundings, table)


KIND = DeviceKind(
    name="agipd",
    about="AGIPD 1M modules: XTDF blocks in UDP datagrams, one stream for each module",
    config=AgipdTable,
    faults=FAULTS,
    build=build,
    needs=("daq.", "caldb."),
)
