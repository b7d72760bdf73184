"""The device kinds `agipd`, `lpd` and `dssc`. Light to import: what computes is imported when a bench builds one."""

from __future__ import annotations

from collections.abc import Mapping

from sim.kernel.device import DeviceKind, Server, Surroundings
from sim.xtdf.config import AgipdTable, AnyTable, DsscTable, LpdTable
from sim.xtdf.fault_specs import FAULTS


def build(surroundings: Surroundings, table: AnyTable) -> Mapping[str, Server]:
    """Build the detector. Endpoint suffix: `control`. Raises SimError."""
    from sim.xtdf.build import build_detector

    return build_detector(surroundings, table)


def _kind(name: str, about: str, config: type[AnyTable]) -> DeviceKind:
    return DeviceKind(name, about, config, FAULTS, build, needs=("daq.", "caldb."))


AGIPD = _kind(
    "agipd", "AGIPD modules, 1M or 500K: XTDF blocks in UDP datagrams, one stream for each", AgipdTable
)
LPD = _kind("lpd", "LPD 1M modules: XTDF blocks in UDP datagrams, one stream for each", LpdTable)
DSSC = _kind("dssc", "DSSC 1M modules: XTDF blocks in UDP datagrams, one stream for each", DsscTable)
