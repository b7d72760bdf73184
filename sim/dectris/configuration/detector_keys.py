"""Keys of the detector module: types, access, units, defaults and limits by model.

Source: SIMPLON API reference 1.8; fastcs-eiger, system test (the exact set, with the allowed values, that an
EIGER2 16M lists); captured start messages (readout time, pixel size, cutoff). Keys with `listed=False` are
answered, but not named by `keys`, as on hardware of that firmware.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sim.dectris.keys import Key
from sim.dectris.models import V16, V18, Model

HC_EV_ANGSTROM: Final = 12398.4198
ENABLED: Final = ("enabled", "disabled")
GONIOMETER: Final = ("chi", "kappa", "omega", "phi", "two_theta")
NO_BINNING: Final = "none"
BINNED: Final = "2x2"
SECOND_THRESHOLD: Final = 1.4
"""Threshold 2 as a part of the photon energy, unless it is written."""
_IMAGES_MAX: Final = 2_000_000_000

K_ALPHA_EV: Final[Mapping[str, float]] = MappingProxyType({
    "Li": 54.3, "Be": 108.5, "B": 183.3, "C": 277.0, "N": 392.4, "O": 524.9, "F": 676.8, "Ne": 848.6,
    "Na": 1040.98, "Mg": 1253.6, "Al": 1486.7, "Si": 1739.98, "P": 2013.7, "S": 2307.84, "Cl": 2622.39,
    "Ar": 2957.7, "K": 3313.8, "Ca": 3691.68, "Sc": 4090.6, "Ti": 4510.84, "V": 4952.2, "Cr": 5414.72,
    "Mn": 5898.75, "Fe": 6403.84, "Co": 6930.32, "Ni": 7478.15, "Cu": 8047.78, "Zn": 8638.86,
})  # fmt: skip
"""K-alpha energies in eV of the elements that `element` allows."""


def threshold_names(model: Model) -> tuple[str, ...]:
    """`threshold/1` … as far as the model has them."""
    return tuple(f"threshold/{number}" for number in range(1, model.thresholds + 1))


def default_thresholds(model: Model, energy_ev: float) -> list[float]:
    """Energies in eV, ascending: half the photon energy, then 1.4, 1.6 and 1.8 of it; locked ones stay low."""
    low, high = model.threshold_limits_ev
    if model.locked_threshold:
        return [low * (1 + number) for number in range(model.thresholds)]
    shares = (0.5, SECOND_THRESHOLD, 1.6, 1.8)[: model.thresholds]
    return [
        min(max(share * energy_ev, low), threshold_high(high, number)) for number, share in enumerate(shares)
    ]


def threshold_high(high: float, index: int) -> float:
    """The highest energy of the threshold with this index: those above the first reach higher."""
    return high if index == 0 else high * SECOND_THRESHOLD * (1 + 0.2 * (index - 1))


def detector_config(model: Model) -> list[Key]:
    """Configuration keys of the detector module."""
    return [
        *_identity(model),
        *_exposure(model),
        *_readout(model),
        *_corrections(model),
        *_energies(model),
        *_geometry(model),
    ]


def _identity(model: Model) -> list[Key]:
    return [
        Key("description", "string", model.description, "r"),
        Key("detector_number", "string", model.serial, "r"),
        Key("eiger_fw_version", "string", model.firmware, "r"),
        Key("software_version", "string", model.version, "r"),
        Key("data_collection_date", "string", "", "r"),
        Key("sensor_material", "string", model.sensor_material, "r"),
        Key("sensor_thickness", "float", model.sensor_thickness_m, "r", "m"),
        Key("x_pixel_size", "float", model.pixel_size_m, "r", "m"),
        Key("y_pixel_size", "float", model.pixel_size_m, "r", "m"),
        Key("x_pixels_in_detector", "uint", model.width, "r"),
        Key("y_pixels_in_detector", "uint", model.height, "r"),
        Key("incident_particle_type", "string", model.particle, "r"),
        Key("instrument_name", "string", ""),
        Key("sample_name", "string", ""),
        Key("source_name", "string", ""),
    ]


def _exposure(model: Model) -> list[Key]:
    low, high = model.count_time_limits_s
    modes = ("exte", "extg", "exts", "inte", "ints") if model.extg else ("exte", "exts", "inte", "ints")
    if model.extg and model.family != "EIGER1":
        modes = ("eies", *modes)
    keys = [
        Key("auto_summation", "bool", True),
        Key("auto_sum_strict", "bool", False, listed=False, versions=(V18,)),
        Key("count_time", "float", 0.5, unit="s", low=low, high=high),
        Key("frame_time", "float", 1.0, unit="s", low=1e-6, high=high + model.readout_time_s),
        Key("detector_readout_time", "float", model.readout_time_s, "r", "s", low=0.0),
        Key("frame_count_time", "float", 0.5, "r", "s"),
        Key("frame_period", "float", 1.0, "r", "s", listed=model.family == "EIGER1"),
        Key("nframes_sum", "uint", 1, "r", listed=model.family == "EIGER1"),
        Key("nexpi", "uint", 1, low=1, high=4294967296),
        Key("nimages", "uint", 1, low=1, high=_IMAGES_MAX),
        Key("ntrigger", "uint", 1, low=1, high=_IMAGES_MAX),
        Key("ntriggers_skipped", "uint", 0, low=0),
        Key("trigger_mode", "string", "ints", allowed=modes),
        Key("trigger_start_delay", "float", 0.0, unit="s", low=0.0, high=3600.0),
        Key("fast_arm", "bool", False),
        Key("counting_mode", "string", "normal", allowed=("normal", "retrigger")),
    ]
    if model.extg:
        keys.append(Key("extg_mode", "string", "double", allowed=("single", "double")))
    return keys


def _readout(model: Model) -> list[Key]:
    depth = model.fixed_bit_depth or 16
    modes = ("disabled", *(roi.mode for roi in model.rois), *(("lines",) if model.lines else ()))
    keys = [
        Key("bit_depth_image", "uint", depth, "r", "bit"),
        Key("bit_depth_readout", "uint", 8 if depth == 8 else 16, "r", "bit"),
        Key("compression", "string", "bslz4", allowed=("lz4", "bslz4", "none")),
        Key("roi_mode", "string", "disabled", allowed=modes),
    ]
    if model.lines:
        low = 4 if model.height >= 4 else 2
        keys.append(Key("roi_y_size", "uint", model.height, low=low, high=model.height))
        keys.append(Key("roi_bit_depth", "uint", 16, unit="bit", low=8, high=16))
    if model.binning:
        keys.append(Key("binning_mode", "string", NO_BINNING, allowed=(NO_BINNING, BINNED)))
    if model.pixel_formats:
        names = tuple(pixel_format.name for pixel_format in model.pixel_formats)
        keys.append(Key("pixel_format", "string", names[0], allowed=names))
    return keys


def _corrections(model: Model) -> list[Key]:
    return [
        Key("countrate_correction_applied", "bool", True),
        Key("countrate_correction_count_cutoff", "uint", 0, "r"),
        Key("flatfield_correction_applied", "bool", True),
        Key("mask_to_zero", "bool", False),
        Key("pixel_mask_applied", "bool", True),
        Key("virtual_pixel_correction_applied", "bool", True),
        Key("number_of_excluded_pixels", "uint", 0, "r"),
        *(Key(f"{name}/number_of_excluded_pixels", "uint", 0, "r") for name in threshold_names(model)),
        Key("test_image_mode", "string", "", allowed=("", "value"), listed=False),
        Key("test_image_value", "uint", 0, listed=False, high=4294967295),
    ]


def _energies(model: Model) -> list[Key]:
    energy = model.energy_ev
    low, high = model.energy_limits_ev
    elements = tuple(K_ALPHA_EV)
    if model.family == "EIGER1":
        elements = tuple(element for element, line_ev in K_ALPHA_EV.items() if low <= line_ev <= high)
    keys = [
        Key("element", "string", "", allowed=elements),
        Key("incident_energy", "float", energy, unit="eV", low=low, high=high),
        Key("photon_energy", "float", energy, unit="eV", low=low, high=high),
        Key("wavelength", "float", HC_EV_ANGSTROM / energy, unit="angstrom", listed=False,
            low=HC_EV_ANGSTROM / high, high=HC_EV_ANGSTROM / low),
        Key("total_flux", "float", 0.0, unit="Hz", low=0.0),
        Key("flux_type", "string", "", listed=False, versions=(V18,), allowed=(
            "", "flux", "flux_area_integrated", "flux_time_integrated", "flux_area_and_time_integrated")),
        Key("flux_value", "float", 0.0, low=0.0, listed=False, versions=(V18,)),
    ]  # fmt: skip
    return keys + _thresholds(model)


def _thresholds(model: Model) -> list[Key]:
    low, high = model.threshold_limits_ev
    energies = default_thresholds(model, model.energy_ev)
    keys = []
    if not model.locked_threshold:
        keys.append(Key("threshold_energy", "float", energies[0], unit="eV", low=low, high=high))
    for index, name in enumerate(threshold_names(model)):
        top = threshold_high(high, index)
        mode = ENABLED[0] if index == 0 else ENABLED[1]
        access = "r" if model.locked_threshold else "rw"
        keys.append(Key(f"{name}/energy", "float", energies[index], access, "eV", low=low, high=top))
        keys.append(Key(f"{name}/mode", "string", mode, allowed=ENABLED))
    if model.thresholds > 1:
        keys += [
            Key("threshold/difference/mode", "string", "disabled", allowed=ENABLED),
            Key("threshold/difference/lower_threshold", "uint", 1, "r"),
            Key("threshold/difference/upper_threshold", "uint", 2, "r"),
        ]
    return keys


def _geometry(model: Model) -> list[Key]:
    # Lists and what came in 2024 stay out of `keys`: clients that validate every listed key do not know the types.
    keys = [
        Key("beam_center_x", "float", model.width / 2, unit="pixel"),
        Key("beam_center_y", "float", model.height / 2, unit="pixel"),
        Key("detector_distance", "float", 0.0, unit="m", low=0.0),
        Key(
            "detector_translation",
            "float[]",
            [0.0, 0.0, 0.0],
            unit="m",
            length=3,
            listed=False,
            low=-1e3,
            high=1e3,
        ),
        Key(
            "detector_orientation",
            "float[]",
            [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0],
            length=6,
            listed=False,
            low=-1.0,
            high=1.0,
        ),
        Key("detector_orientation_angle", "float", 180.0, unit="degree", listed=False, versions=(V18,)),
        Key(
            "detector_orientation_axis",
            "float[]",
            [0.0, 0.0, 1.0],
            length=3,
            low=-1e6,
            high=1e6,
            listed=False,
            versions=(V18,),
        ),
        Key("transformation_order", "string[]", [], allowed=GONIOMETER[:4], listed=False, versions=(V18,)),
    ]
    for axis in GONIOMETER:
        keys.append(Key(f"{axis}_start", "float", 0.0, unit="degree"))
        keys.append(Key(f"{axis}_increment", "float", 0.0, unit="degree"))
        vector = [0.0, -1.0, 0.0] if axis == "two_theta" else [-1.0, 0.0, 0.0]
        keys.append(
            Key(
                f"{axis}_axis", "float[]", vector, length=3, low=-1e6, high=1e6, listed=False, versions=(V18,)
            )
        )
    return keys


def detector_status(model: Model) -> list[Key]:
    """Status keys of the detector module; `state`, `time`, `series_unique_id` are filled at each request."""
    states = ("na", "idle", "ready", "acquire", "configure", "initialize", "error")
    warm, damp = (15.0, 37.5), (0.0, 35.0)
    return [
        Key("state", "string", "na", "r", allowed=states),
        # The reference gives string[] for 1.6 and string for 1.8; a list under `string` suits every client.
        Key("error", "string", [], "r", listed=False, type_160="string[]"),
        Key("time", "string", "", "r"),
        Key("temperature", "float", model.temperature_c, "r", "C"),
        Key("humidity", "float", model.humidity, "r", "%"),
        Key("board_000/th0_temp", "float", model.temperature_c, "r", "C", listed=False, critical=warm),
        Key("board_000/th0_humidity", "float", model.humidity, "r", "%", listed=False, critical=damp),
        Key("high_voltage/state", "string", "READY", "r", listed=False,
            allowed=("NA", "OFF", "RAMPING", "READY")),
        *(Key(f"link_{number}", "string", "up", "r") for number in range(model.links)),
        Key("series_unique_id", "string", "", "r"),
        Key("missed_triggers", "uint", 0, "r", listed=False),
        Key("builder/dcu_buffer_free", "float", 100.0, "r", "%", versions=(V16,)),
    ]  # fmt: skip
