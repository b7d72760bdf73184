"""The keys of an EIGER2 control unit with their defaults.

Source: SIMPLON API reference 1.8 (names, types, units, access); fastcs-eiger, system test (the set that an EIGER2
lists); EIGER2 start messages published with tickit-devices (readout time, pixel size, cutoff).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.dectris.keys import Key

HC_EV_ANGSTROM: Final = 12398.4198
READOUT_TIME_S: Final = 1e-7
PHOTON_ENERGY_EV: Final = 8041.0
ENABLED: Final = ("enabled", "disabled")

K_ALPHA_EV: Final = {
    "Li": 54.3, "Be": 108.5, "B": 183.3, "C": 277.0, "N": 392.4, "O": 524.9, "F": 676.8, "Ne": 848.6,
    "Na": 1040.98, "Mg": 1253.6, "Al": 1486.7, "Si": 1739.98, "P": 2013.7, "S": 2307.84, "Cl": 2622.39,
    "Ar": 2957.7, "K": 3313.8, "Ca": 3691.68, "Sc": 4090.6, "Ti": 4510.84, "V": 4952.2, "Cr": 5414.72,
    "Mn": 5898.75, "Fe": 6403.84, "Co": 6930.32, "Ni": 7478.15, "Cu": 8047.78, "Zn": 8638.86,
}  # fmt: skip
"""K-alpha energies in eV of the elements that `element` allows."""

GONIOMETER: Final = ("chi", "kappa", "omega", "phi", "two_theta")


@dataclass(frozen=True, slots=True)
class Model:
    """What distinguishes one detector from another."""

    description: str
    serial: str
    width: int
    height: int
    bit_depth: int
    """8, 16 or 32: the type of the frames."""
    compression: str
    excluded_pixels: int


def detector_config(model: Model) -> list[Key]:
    """Configuration keys of the detector module."""
    return [*_identity(model), *_exposure(model), *_corrections(model), *_energies(), *_geometry(model)]


def _identity(model: Model) -> list[Key]:
    return [
        Key("description", "string", model.description, "r"),
        Key("detector_number", "string", model.serial, "r"),
        Key("eiger_fw_version", "string", "release-2022.1.2", "r"),
        Key("software_version", "string", "1.8.0", "r"),
        Key("data_collection_date", "string", "", "r"),
        Key("sensor_material", "string", "Si", "r"),
        Key("sensor_thickness", "float", 0.00045, "r", "m"),
        Key("x_pixel_size", "float", 7.5e-5, "r", "m"),
        Key("y_pixel_size", "float", 7.5e-5, "r", "m"),
        Key("x_pixels_in_detector", "uint", model.width, "r"),
        Key("y_pixels_in_detector", "uint", model.height, "r"),
        Key("incident_particle_type", "string", "photons", "r"),
        Key("instrument_name", "string", ""),
        Key("sample_name", "string", ""),
        Key("source_name", "string", ""),
    ]


def _exposure(model: Model) -> list[Key]:
    return [
        Key("bit_depth_image", "uint", model.bit_depth, "r", "bit"),
        Key("bit_depth_readout", "uint", 16 if model.bit_depth > 8 else 8, "r", "bit"),
        Key("auto_summation", "bool", True),
        Key("compression", "string", model.compression, allowed=("lz4", "bslz4", "none")),
        Key("count_time", "float", 0.5, unit="s", low=5e-8, high=3600.0),
        Key("frame_time", "float", 1.0, unit="s", low=1e-4, high=3600.0 + READOUT_TIME_S),
        Key("detector_readout_time", "float", READOUT_TIME_S, "r", "s", low=0.0),
        Key("frame_count_time", "float", 0.5, "r", "s"),
        Key("countrate_correction_count_cutoff", "uint", 21517, "r"),
        Key("counting_mode", "string", "normal", allowed=("normal", "retrigger")),
        Key("extg_mode", "string", "double", allowed=("single", "double")),
        Key("fast_arm", "bool", False),
        Key("nexpi", "uint", 1, low=1, high=4294967296),
        Key("nimages", "uint", 1, low=1, high=2_000_000_000),
        Key("ntrigger", "uint", 1, low=1, high=2_000_000_000),
        Key("ntriggers_skipped", "uint", 0, low=0),
        Key("roi_mode", "string", "disabled", allowed=("disabled",)),
        Key("trigger_mode", "string", "ints", allowed=("eies", "exte", "extg", "exts", "inte", "ints")),
        Key("trigger_start_delay", "float", 0.0, unit="s", low=0.0, high=3600.0),
    ]


def _corrections(model: Model) -> list[Key]:
    return [
        Key("countrate_correction_applied", "bool", True),
        Key("flatfield_correction_applied", "bool", True),
        Key("mask_to_zero", "bool", False, "r"),
        Key("pixel_mask_applied", "bool", True),
        Key("virtual_pixel_correction_applied", "bool", True),
        Key("number_of_excluded_pixels", "uint", model.excluded_pixels, "r"),
        Key("threshold/1/number_of_excluded_pixels", "uint", model.excluded_pixels, "r"),
        Key("threshold/2/number_of_excluded_pixels", "uint", model.excluded_pixels, "r"),
    ]


def _energies() -> list[Key]:
    energy = PHOTON_ENERGY_EV
    return [
        Key("element", "string", "", allowed=("", *K_ALPHA_EV)),
        Key("incident_energy", "float", energy, unit="eV", low=50.0, high=36000.0),
        Key("photon_energy", "float", energy, unit="eV", low=50.0, high=36000.0),
        Key(
            "wavelength", "float", HC_EV_ANGSTROM / energy, unit="angstrom", low=0.3, high=250.0, listed=False
        ),
        Key("threshold_energy", "float", energy * 0.5, unit="eV", low=25.0, high=36000.0),
        Key("threshold/1/energy", "float", energy * 0.5, unit="eV", low=25.0, high=36000.0),
        Key("threshold/2/energy", "float", energy * 1.4, unit="eV", low=25.0, high=60000.0),
        Key("threshold/1/mode", "string", "enabled", allowed=ENABLED),
        Key("threshold/2/mode", "string", "disabled", allowed=ENABLED),
        Key("threshold/difference/mode", "string", "disabled", allowed=ENABLED),
        Key("threshold/difference/lower_threshold", "uint", 1, "r"),
        Key("threshold/difference/upper_threshold", "uint", 2, "r"),
        Key("total_flux", "float", 0.0, unit="Hz", low=0.0),
    ]


def _geometry(model: Model) -> list[Key]:
    keys = [
        Key("beam_center_x", "float", model.width / 2, unit="pixel"),
        Key("beam_center_y", "float", model.height / 2, unit="pixel"),
        Key("detector_distance", "float", 0.0, unit="m", low=0.0),
    ]
    for axis in GONIOMETER:
        keys.append(Key(f"{axis}_start", "float", 0.0, unit="degree"))
        keys.append(Key(f"{axis}_increment", "float", 0.0, unit="degree"))
    return keys


def detector_status() -> list[Key]:
    """Status keys of the detector module; `state`, `time` and `series_unique_id` are filled at each request."""
    return [
        Key(
            "state",
            "string",
            "na",
            "r",
            allowed=("na", "idle", "ready", "acquire", "configure", "initialize", "error"),
        ),
        # The reference gives `string[]` for 1.6 and `string` for 1.8; a list under `string` suits every client.
        Key("error", "string", [], "r", listed=False),
        Key("time", "string", "", "r"),
        Key("temperature", "float", 24.5, "r", "C"),
        Key("humidity", "float", 2.1, "r", "%"),
        Key("board_000/th0_temp", "float", 24.5, "r", "C", listed=False),
        Key("board_000/th0_humidity", "float", 2.1, "r", "%", listed=False),
        Key("high_voltage/state", "string", "READY", "r", listed=False),
        Key("link_0", "string", "up", "r"),
        Key("link_1", "string", "up", "r"),
        Key("series_unique_id", "string", "", "r"),
    ]


def stream_config(mode: str) -> list[Key]:
    """Configuration keys of the stream module."""
    return [
        Key("mode", "string", mode, allowed=ENABLED),
        Key("format", "string", "legacy", allowed=("legacy",)),
        Key("header_detail", "string", "basic", allowed=("none", "basic", "all")),
        Key("header_appendix", "string", ""),
        Key("image_appendix", "string", ""),
    ]


def stream_status() -> list[Key]:
    """Status keys of the stream module; `state` and `dropped` are filled at each request."""
    return [
        Key("state", "string", "ready", "r"),
        Key("error", "string", [], "r", listed=False),
        Key("dropped", "uint", 0, "r"),
    ]
