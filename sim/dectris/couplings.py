"""What else changes when one key is written, and what the answer to the PUT lists.

Source: SIMPLON API reference 1.8 (couplings); tickit-devices, Eiger tests (the lists that a detector answers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.dectris.keys import Value
from sim.dectris.profile import HC_EV_ANGSTROM, K_ALPHA_EV, READOUT_TIME_S

_TIMES: Final = (
    "bit_depth_image",
    "bit_depth_readout",
    "count_time",
    "countrate_correction_count_cutoff",
    "frame_count_time",
    "frame_time",
)
_ENERGIES: Final = (
    "element",
    "flatfield",
    "incident_energy",
    "photon_energy",
    "threshold/1/energy",
    "threshold/1/flatfield",
    "threshold/2/energy",
    "threshold/2/flatfield",
    "threshold_energy",
    "wavelength",
)
_THRESHOLD_1: Final = (
    "flatfield",
    "threshold/1/energy",
    "threshold/1/flatfield",
    "threshold/2/flatfield",
    "threshold_energy",
)

CHANGED: Final[Mapping[str, tuple[str, ...]]] = {
    "count_time": _TIMES,
    "frame_time": _TIMES,
    "auto_summation": ("auto_summation", "frame_count_time"),
    "photon_energy": _ENERGIES,
    "incident_energy": _ENERGIES,
    "wavelength": _ENERGIES,
    "element": _ENERGIES,
    "threshold_energy": _THRESHOLD_1,
    "threshold/1/energy": _THRESHOLD_1,
    "threshold/2/energy": (
        "flatfield",
        "threshold/1/flatfield",
        "threshold/2/energy",
        "threshold/2/flatfield",
    ),
    "threshold/1/mode": ("threshold/1/mode", "threshold/difference/mode"),
    "threshold/2/mode": ("threshold/2/mode", "threshold/difference/mode"),
    # The name is the vendor's inconsistency; fastcs-eiger expects it.
    "threshold/difference/mode": ("difference_mode",),
    "roi_mode": ("count_time", "frame_time", "roi_mode"),
}
"""Keys listed in the answer to a PUT; any other key answers itself alone."""


def changed_keys(name: str) -> list[str]:
    """What the answer to a PUT of *name* lists."""
    return list(CHANGED.get(name, (name,)))


def consequences(name: str, value: Value, present: Mapping[str, Value]) -> dict[str, Value]:
    """All values that a checked write sets, *name* itself included."""
    if name == "count_time":
        return _count_time(_number(value), _number(present["frame_time"]))
    if name == "frame_time":
        return _frame_time(_number(value), _number(present["count_time"]))
    if name in ("photon_energy", "incident_energy"):
        return _energy(_number(value), "")
    if name == "wavelength":
        return _energy(HC_EV_ANGSTROM / _number(value), "")
    if name == "element" and value != "":
        return _energy(K_ALPHA_EV[str(value)], str(value))
    if name in ("threshold_energy", "threshold/1/energy"):
        return {"threshold_energy": value, "threshold/1/energy": value}
    if name in ("threshold/1/mode", "threshold/2/mode") and value == "disabled":
        return {name: value, "threshold/difference/mode": "disabled"}
    return {name: value}


def _number(value: Value) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _count_time(count_s: float, frame_s: float) -> dict[str, Value]:
    if count_s > frame_s - READOUT_TIME_S:
        frame_s = count_s + READOUT_TIME_S
    return {"count_time": count_s, "frame_time": frame_s, "frame_count_time": count_s}


def _frame_time(frame_s: float, count_s: float) -> dict[str, Value]:
    if frame_s < count_s + READOUT_TIME_S:
        count_s = frame_s - READOUT_TIME_S
    return {"count_time": count_s, "frame_time": frame_s, "frame_count_time": count_s}


def _energy(energy_ev: float, element: str) -> dict[str, Value]:
    return {
        "element": element,
        "photon_energy": energy_ev,
        "incident_energy": energy_ev,
        "wavelength": HC_EV_ANGSTROM / energy_ev,
        "threshold_energy": energy_ev * 0.5,
        "threshold/1/energy": energy_ev * 0.5,
        "threshold/2/energy": energy_ev * 1.4,
    }
