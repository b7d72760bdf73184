"""What else changes when one detector key is written. Pure functions: present values in, new values out.

Source: SIMPLON API reference 1.8, couplings of the configuration keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

from sim.dectris.configuration import placement
from sim.dectris.configuration.detector_keys import (
    HC_EV_ANGSTROM,
    K_ALPHA_EV,
    default_thresholds,
    threshold_names,
)
from sim.dectris.configuration.readout import derived, min_frame_time, number, whole, window_of
from sim.dectris.keys import Value
from sim.dectris.models import Model
from sim.dectris.refusal import Refused

Values: TypeAlias = Mapping[str, Value]

DEFAULT_COUNT_S: Final = 0.5
DEFAULT_FRAME_S: Final = 1.0
_WINDOW_KEYS: Final = frozenset({"roi_mode", "roi_y_size", "roi_bit_depth", "binning_mode", "pixel_format"})
_CENTRE_KEYS: Final = frozenset({"beam_center_x", "beam_center_y", "detector_distance"})


def consequences(model: Model, name: str, value: Value, present: Values) -> dict[str, Value]:
    """All values that a checked write sets, *name* itself and the read-only keys included.

    Raises Refused (400) where the result would be none that the detector can have.
    """
    if name == "roi_y_size" and whole(value) % 2:
        raise Refused(400, f"roi_y_size must be even, not {value}")
    direct = {name: value, **_direct(model, name, value, present)}
    merged = {**present, **direct}
    direct |= derived(model, merged)
    merged |= direct
    if name in _WINDOW_KEYS:
        _check_rate(model, name, value, merged)
        direct |= _moved_centre(model, present, merged)
    direct |= _place(name, {**merged, **direct})
    _check_thresholds(model, name, {**merged, **direct})
    return direct


def _direct(model: Model, name: str, value: Value, present: Values) -> dict[str, Value]:
    if name in _WRITES:
        return _WRITES[name](model, value, present)
    if name == "threshold/1/energy" and "threshold_energy" in present:
        return {"threshold_energy": value}
    if (
        name.startswith("threshold/")
        and name.endswith("/mode")
        and value == "disabled"
        and model.thresholds > 1
    ):
        return {"threshold/difference/mode": "disabled"}
    return {}


def _count_time(model: Model, value: Value, present: Values) -> dict[str, Value]:
    needed = number(value) + model.readout_time_s
    return {"frame_time": max(number(present["frame_time"]), needed)}


def _frame_time(model: Model, value: Value, present: Values) -> dict[str, Value]:
    longest = number(value) - model.readout_time_s
    return {"count_time": min(number(present["count_time"]), longest)}


def _roi_mode(_model: Model, _value: Value, _present: Values) -> dict[str, Value]:
    return {"count_time": DEFAULT_COUNT_S, "frame_time": DEFAULT_FRAME_S}


def _photon_energy(model: Model, value: Value, present: Values) -> dict[str, Value]:
    return _energy(model, number(value), "", present)


def _wavelength(model: Model, value: Value, present: Values) -> dict[str, Value]:
    return _energy(model, HC_EV_ANGSTROM / number(value), "", present) | {"wavelength": value}


def _element(model: Model, value: Value, present: Values) -> dict[str, Value]:
    low, high = model.energy_limits_ev
    energy_ev = K_ALPHA_EV[str(value)]
    if not low <= energy_ev <= high:
        raise Refused(
            400, f"element {value} emits at {energy_ev} eV; photon_energy must lie in {low}..{high}"
        )
    return _energy(model, energy_ev, str(value), present)


def _energy(model: Model, energy_ev: float, element: str, present: Values) -> dict[str, Value]:
    new: dict[str, Value] = {
        "element": element,
        "photon_energy": energy_ev,
        "incident_energy": energy_ev,
        "wavelength": HC_EV_ANGSTROM / energy_ev,
    }
    energies = default_thresholds(model, energy_ev)
    new |= {f"{name}/energy": energy for name, energy in zip(threshold_names(model), energies, strict=True)}
    if "threshold_energy" in present:
        new["threshold_energy"] = energies[0]
    return new


def _threshold_energy(_model: Model, value: Value, _present: Values) -> dict[str, Value]:
    return {"threshold/1/energy": value}


_WRITES: Final[Mapping[str, Callable[[Model, Value, Values], dict[str, Value]]]] = {
    "count_time": _count_time,
    "frame_time": _frame_time,
    "roi_mode": _roi_mode,
    "photon_energy": _photon_energy,
    "incident_energy": _photon_energy,
    "wavelength": _wavelength,
    "element": _element,
    "threshold_energy": _threshold_energy,
}


def _moved_centre(model: Model, before: Values, after: Values) -> dict[str, Value]:
    """The beam stays where it is on the detector; its place in the image moves with the window."""
    old, new = window_of(model, before), window_of(model, after)
    x = number(before["beam_center_x"]) * old.binning + old.x
    y = number(before["beam_center_y"]) * old.binning + old.y
    return {"beam_center_x": (x - new.x) / new.binning, "beam_center_y": (y - new.y) / new.binning}


def _place(name: str, values: Values) -> dict[str, Value]:
    if name in _CENTRE_KEYS or name in _WINDOW_KEYS:
        return placement.translation(values)
    if name == "detector_translation":
        return placement.centre(values)
    if name == "detector_orientation":
        return placement.angle_and_axis(values) | placement.centre(values)
    if name in ("detector_orientation_angle", "detector_orientation_axis"):
        turned = placement.orientation(values)
        return turned | placement.centre({**values, **turned})
    return {}


def _check_rate(model: Model, name: str, value: Value, values: Values) -> None:
    shortest = min_frame_time(model, values)
    if number(values["frame_time"]) < shortest * (1 - 1e-9):
        raise Refused(
            400,
            f"{name} cannot be {value} with a frame_time of {values['frame_time']} s; "
            f"it allows {shortest} s or longer",
        )


def _check_thresholds(model: Model, name: str, values: Values) -> None:
    """Enabled thresholds ascend, and the difference needs all of them."""
    if "threshold" not in name:
        return
    names = threshold_names(model)
    on = [threshold for threshold in names if values[f"{threshold}/mode"] == "enabled"]
    if values.get("threshold/difference/mode") == "enabled" and len(on) < len(names):
        raise Refused(400, "threshold/difference/mode can be enabled only while all thresholds are")
    energies = [number(values[f"{threshold}/energy"]) for threshold in on]
    if any(lower >= upper for lower, upper in pairwise(energies)):
        told = ", ".join(
            f"{threshold}/energy {energy}" for threshold, energy in zip(on, energies, strict=True)
        )
        raise Refused(400, f"the energies of enabled thresholds must ascend; they would be {told}")
