"""Content of the master file in the format of 2024 (NXmx, all channels). Source: SIMPLON API reference 1.8, 2024.2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.dectris.filewriter.legacy import SAMPLE_AXES
from sim.dectris.filewriter.nexus import (
    TRANSLATION,
    Taken,
    group,
    moved_along,
    number,
    put,
    put_image,
    put_keys,
    put_lost,
    put_module,
    put_ramp,
    saturation_value,
    turned_about,
    utc,
    vector,
    wavelength,
)
from sim.dectris.keys import Value
from sim.dectris.sinks import ArmedSeries

_DETECTOR_KEYS: Final = {
    "beam_center_x": "pixel",
    "beam_center_y": "pixel",
    "bit_depth_image": "",
    "bit_depth_readout": "",
    "count_time": "s",
    "countrate_correction_applied": "",
    "description": "",
    "detector_distance": "m",
    "detector_readout_time": "s",
    "flatfield_correction_applied": "",
    "frame_time": "s",
    "pixel_mask_applied": "",
    "sensor_material": "",
    "sensor_thickness": "m",
    "virtual_pixel_correction_applied": "",
    "x_pixel_size": "m",
    "y_pixel_size": "m",
}
_SPECIFIC_KEYS: Final = {
    "auto_summation": "",
    "compression": "",
    "counting_mode": "",
    "data_collection_date": "",
    "eiger_fw_version": "",
    "element": "",
    "frame_count_time": "s",
    "nimages": "",
    "ntrigger": "",
    "photon_energy": "eV",
    "roi_mode": "",
    "software_version": "",
    "trigger_mode": "",
}
_AXES: Final = {
    "omega": (-1.0, 0.0, 0.0),
    "chi": (0.0, 0.0, -1.0),
    "kappa": (-1.0, 0.0, 0.0),
    "phi": (-1.0, 0.0, 0.0),
}
_NS_PER_S: Final = 1_000_000_000


def write_nxmx_master(
    file: h5py.File, series: ArmedSeries, taken: Taken, parts: Sequence[tuple[str, int]]
) -> None:
    """Write everything but the images. *parts*: data files with their images, shown as one array."""
    config = series.config
    entry = file["entry"] if "entry" in file else group(file, "entry", "NXentry")
    file.attrs["default"] = np.bytes_("entry")
    entry.attrs["default"] = np.bytes_("data")
    entry.attrs["version"] = np.bytes_("2024.2")
    entry.attrs["DECTRIS_lab_geometry"] = np.bytes_("mcstas")
    begin = taken.series_unix_ns or series.armed_unix_ns
    lasts_ns = round(series.expected * (number(config, "frame_time") or 0.0) * _NS_PER_S)
    put(entry, "definition", "NXmx", version="1.4")
    put(entry, "start_time", utc(begin))
    put(entry, "end_time_estimated", utc(min(begin + lasts_ns, 2**62)))
    put(entry, "program_name", "DECTRIS-DAQ", version=config.get("software_version", "1.8.0"))
    _write_data(entry, series, taken, parts)
    instrument = group(entry, "instrument", "NXinstrument")
    put(instrument, "name", config.get("instrument_name"))
    put(instrument, "time_zone", "Z")
    _write_beam(group(instrument, "beam", "NXbeam"), config)
    _write_detector(group(instrument, "detector", "NXdetector"), config, series, taken)
    _write_sample(group(entry, "sample", "NXsample"), config, taken)
    put(group(entry, "source", "NXsource"), "name", config.get("source_name"))


def _write_data(
    entry: h5py.Group, series: ArmedSeries, taken: Taken, parts: Sequence[tuple[str, int]]
) -> None:
    layout = series.ring.layout
    data = entry["data"] if "data" in entry else group(entry, "data", "NXdata")
    put_lost(data, taken.lost)
    data.attrs["signal"] = np.bytes_("data")
    data.attrs["axes"] = np.array([b"image_id", b"channel", b".", b"."])
    data.attrs["image_id_indices"] = data.attrs["start_time_indices"] = np.uint32(0)
    data.attrs["channel_indices"] = np.uint32(1)
    data.attrs["default_slice"] = np.array([b".", layout.channels[0].encode(), b".", b"."])
    put(data, "image_id", np.arange(1, taken.count + 1, dtype=np.uint64))
    put(data, "channel", list(layout.channels))
    _put_starts(data, taken)
    if not parts:
        return
    shape = (len(layout.channels), layout.height, layout.width)
    whole = h5py.VirtualLayout(shape=(sum(rows for _, rows in parts), *shape), dtype=layout.dtype)
    row = 0
    for name, rows in parts:
        # A name in a virtual dataset is a pattern: a lone % would stand for a number.
        source = h5py.VirtualSource(name.replace("%", "%%"), "/entry/data/data", (rows, *shape), layout.dtype)
        whole[row : row + rows] = source
        row += rows
    data.create_virtual_dataset("data", whole)


def _put_starts(parent: h5py.Group, taken: Taken) -> None:
    """`start_time` (n,) float64, seconds since /entry/start_time; not a number before the series has ended."""
    if taken.starts_ns is None:
        put_ramp(parent, "start_time", math.nan, 0.0, taken.count, units="s")
    else:
        put(parent, "start_time", taken.starts_ns / _NS_PER_S, units="s")


def _write_beam(beam: h5py.Group, config: Mapping[str, Value]) -> None:
    energy = number(config, "incident_energy") or number(config, "photon_energy")
    put(beam, "incident_energy", energy, units="eV")
    put(beam, "incident_wavelength", wavelength(config), units="angstrom")
    kind, value = config.get("flux_type"), number(config, "flux_value")
    names = {
        "flux": ("flux", "1/s/m^2"),
        "flux_area_integrated": ("total_flux", "Hz"),
        "flux_time_integrated": ("flux_integrated", "1/m^2"),
        "flux_area_and_time_integrated": ("total_flux_integrated", "1"),
    }
    if isinstance(kind, str) and kind in names:
        name, unit = names[kind]
        put(beam, name, value, units=unit)
    else:
        name = "total_flux"
        put(beam, name, number(config, "total_flux"), units="Hz")
    beam.attrs["flux"] = np.bytes_(name)


def _write_detector(
    detector: h5py.Group, config: Mapping[str, Value], series: ArmedSeries, taken: Taken
) -> None:
    put_keys(detector, config, _DETECTOR_KEYS)
    put(detector, "type", "HPC")
    put(detector, "serial_number", config.get("detector_number"))
    put(detector, "saturation_value", saturation_value(series))
    put(detector, "depends_on", TRANSLATION)
    _put_starts(detector, taken)
    for place, name in enumerate(series.ring.layout.channels):
        channel = group(detector, f"{name}_channel", "NXdetector_channel")
        put(channel, "threshold_energy", _threshold_energy(config, name), units="eV")
        put_image(channel, "flatfield", series.flatfield[place], series.ring.layout.compression)
        put_image(channel, "pixel_mask", series.pixel_mask[place], series.ring.layout.compression)
    put_module(detector, config, series, forward=1.0)
    _write_geometry(group(detector, "geometry", "NXtransformations"), config)
    step = number(config, "two_theta_increment")
    _write_axis(detector["transformations"], "two_theta", (-1.0, 0.0, 0.0), config, taken, step)
    put_keys(group(detector, "detectorSpecific", "NXcollection"), config, _SPECIFIC_KEYS)


def _threshold_energy(config: Mapping[str, Value], channel: str) -> NDArray[np.float64] | float | None:
    """One value; two for the difference of two thresholds."""
    if channel != "difference":
        return number(config, f"threshold/{channel.removeprefix('threshold_')}/energy")
    ends = [config.get(f"threshold/difference/{end}_threshold") for end in ("lower", "upper")]
    energies = [number(config, f"threshold/{end}/energy") for end in ends]
    return None if None in energies else np.array(energies, np.float64)


def _write_geometry(geometry: h5py.Group, config: Mapping[str, Value]) -> None:
    angle = number(config, "detector_orientation_angle")
    axis = vector(config, "detector_orientation_axis", (0.0, 0.0, 1.0))
    here = "/entry/instrument/detector/geometry/translation"
    turn = math.radians(180.0 if angle is None else angle)
    put(geometry, "orientation", turn, **turned_about(list(axis), here, "rad"))
    distance = number(config, "detector_distance") or 0.0
    shift = vector(config, "detector_translation", (0.0, 0.0, distance))
    length = float(np.linalg.norm(shift))
    along = shift / length if length else np.array([0.0, 0.0, 1.0])
    put(geometry, "translation", length, **moved_along(list(along), "."))


def _write_sample(sample: h5py.Group, config: Mapping[str, Value], taken: Taken) -> None:
    put(sample, "name", config.get("sample_name"))
    transformations = group(sample, "transformations", "NXtransformations")
    before = "."
    # From the base upwards, so that the last axis written carries the sample.
    order = config.get("transformation_order")
    wanted = order if isinstance(order, list) and order else list(SAMPLE_AXES)
    for axis in (str(name) for name in wanted if name in _AXES):
        step = number(config, f"{axis}_increment")
        if number(config, f"{axis}_start") is None or step is None or axis in transformations:
            continue
        along = tuple(vector(config, f"{axis}_axis", _AXES[axis]))
        _write_axis(transformations, axis, along, config, taken, step, before)
        before = f"/entry/sample/transformations/{axis}"
    put(sample, "depends_on", before)


def _write_axis(
    parent: h5py.Group,
    axis: str,
    along: Sequence[float],
    config: Mapping[str, Value],
    taken: Taken,
    step: float | None,
    depends_on: str = ".",
) -> None:
    """Angles in degree: where each image begins and ends, and the increment that was asked for."""
    start = number(config, f"{axis}_start")
    if start is None or step is None:
        return
    put_ramp(parent, axis, start, step, taken.count, **turned_about(along, depends_on))
    put_ramp(parent, f"{axis}_end", start + step, step, taken.count, units="degree")
    put(parent, f"{axis}_increment_set", np.float64(step), units="degree")
