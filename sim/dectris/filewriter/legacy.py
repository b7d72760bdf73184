"""Content of the legacy master file (NXmx 1.4 style). Source: SIMPLON API reference 1.8, file writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import h5py
import numpy as np

from sim.dectris.filewriter.nexus import (
    TRANSLATION,
    Taken,
    group,
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
    "detector_number": "",
    "detector_readout_time": "s",
    "flatfield_correction_applied": "",
    "frame_time": "s",
    "pixel_mask_applied": "",
    "sensor_material": "",
    "sensor_thickness": "m",
    "threshold_energy": "eV",
    "virtual_pixel_correction_applied": "",
    "x_pixel_size": "m",
    "y_pixel_size": "m",
}
_SPECIFIC_KEYS: Final = {
    "auto_summation": "",
    "compression": "",
    "countrate_correction_count_cutoff": "",
    "data_collection_date": "",
    "eiger_fw_version": "",
    "element": "",
    "frame_count_time": "s",
    "nimages": "",
    "ntrigger": "",
    "number_of_excluded_pixels": "",
    "photon_energy": "eV",
    "roi_mode": "",
    "software_version": "",
    "trigger_mode": "",
    "x_pixels_in_detector": "",
    "y_pixels_in_detector": "",
}
SAMPLE_AXES: Final = ("omega", "chi", "kappa", "phi")


def write_legacy_master(
    file: h5py.File, series: ArmedSeries, taken: Taken, links: Sequence[tuple[str, str]]
) -> None:
    """Write everything but the images. *links*: names in /entry/data with the files that they lead to."""
    config = series.config
    entry = file["entry"] if "entry" in file else group(file, "entry", "NXentry")
    put(entry, "definition", "NXmx", version="1.4")
    put(entry, "start_time", utc(taken.series_unix_ns or series.armed_unix_ns))
    data = entry["data"] if "data" in entry else group(entry, "data", "NXdata")
    put_lost(data, taken.lost)
    for name, target in links:
        data[name] = h5py.ExternalLink(target, "/entry/data/data")
    instrument = group(entry, "instrument", "NXinstrument")
    put(instrument, "name", config.get("instrument_name"))
    beam = group(instrument, "beam", "NXbeam")
    put(beam, "incident_wavelength", wavelength(config), units="angstrom")
    put(beam, "total_flux", number(config, "total_flux"), units="Hz")
    _write_detector(group(instrument, "detector", "NXdetector"), config, series, taken)
    _write_sample(group(entry, "sample", "NXsample"), config, taken)
    put(group(entry, "source", "NXsource"), "name", config.get("source_name"))


def _write_detector(
    detector: h5py.Group, config: Mapping[str, Value], series: ArmedSeries, taken: Taken
) -> None:
    put_keys(detector, config, _DETECTOR_KEYS)
    put(detector, "saturation_value", saturation_value(series))
    put(detector, "depends_on", TRANSLATION)
    put_module(detector, config, series, forward=1.0)
    geometry = group(detector, "geometry", "NXgeometry")
    put(
        group(geometry, "orientation", "NXorientation"),
        "value",
        vector(config, "detector_orientation", (-1, 0, 0, 0, -1, 0)),
    )
    distance = number(config, "detector_distance") or 0.0
    put(
        group(geometry, "translation", "NXtranslation"),
        "distances",
        vector(config, "detector_translation", (0.0, 0.0, distance)),
        units="m",
    )
    _write_axis(group(detector, "goniometer", "NXtransformations"), "two_theta", config, taken.count)
    _write_specific(group(detector, "detectorSpecific", "NXcollection"), config, series)


def _write_specific(specific: h5py.Group, config: Mapping[str, Value], series: ArmedSeries) -> None:
    compression = series.ring.layout.compression
    # The shape of the images stands in the layout; the keys may be those of an older unit.
    sizes: dict[str, Value] = {
        "x_pixels_in_detector": series.ring.layout.width,
        "y_pixels_in_detector": series.ring.layout.height,
        "nimages": series.nimages,
        "ntrigger": series.ntrigger,
        "trigger_mode": series.trigger_mode,
        "compression": compression,
    }
    put_keys(specific, {**config, **sizes}, _SPECIFIC_KEYS)
    period, frame = number(config, "frame_count_time"), number(config, "frame_time")
    summed = period and frame and config.get("auto_summation")
    put(specific, "frame_period", number(config, "frame_period") or period, units="s")
    put(specific, "nframes_sum", max(1, round(frame / period)) if summed and period and frame else 1)
    put(specific, "countrate_correction_table", series.countrate_table)
    put_image(specific, "flatfield", series.flatfield[0], compression)
    put_image(specific, "pixel_mask", series.pixel_mask[0], compression)


def _write_sample(sample: h5py.Group, config: Mapping[str, Value], taken: Taken) -> None:
    put(sample, "name", config.get("sample_name"))
    put(sample, "depends_on", "/entry/sample/transformations/omega")
    goniometer = group(sample, "goniometer", "NXtransformations")
    for axis in SAMPLE_AXES:
        _write_axis(goniometer, axis, config, taken.count)
    start, step = _axis(config, "omega") or (0.0, 0.0)
    put_ramp(
        group(sample, "transformations", "NXtransformations"),
        "omega",
        start,
        step,
        taken.count,
        **turned_about((-1.0, 0.0, 0.0), "."),
    )
    beam = group(sample, "beam", "NXbeam")
    put(beam, "incident_wavelength", wavelength(config), units="angstrom")


def _axis(config: Mapping[str, Value], axis: str) -> tuple[float, float] | None:
    start, step = number(config, f"{axis}_start"), number(config, f"{axis}_increment")
    return None if start is None or step is None else (start, step)


def _write_axis(parent: h5py.Group, axis: str, config: Mapping[str, Value], count: int) -> None:
    """Angles in degree: where each image begins and ends. An axis that the unit lacks is not written."""
    angles = _axis(config, axis)
    if angles is None:
        return
    start, step = angles
    put_ramp(parent, axis, start, step, count, units="degree")
    put_ramp(parent, f"{axis}_end", start + step, step, count, units="degree")
    for name, value in (
        ("start", start),
        ("increment", step),
        ("range_average", step),
        ("range_total", step * count),
    ):
        put(parent, f"{axis}_{name}", np.float64(value), units="degree")
