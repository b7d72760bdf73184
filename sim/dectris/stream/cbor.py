"""Messages of stream version 2: values to CBOR.

Source: SIMPLON API reference 1.8, Stream V2; order of fields as an EIGER2 16M sent them (captured by the authors of
tickit-devices). A message begins with the bytes D9 D9 F7; an array is [height, width] and a typed array (RFC 8746); its
bytes may be compressed (tag 56500). Times of images are whole ticks of a 50 MHz clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import cbor2
import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Layout
from sim.dectris.keys import Value
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream.settings import Settings

SELF_DESCRIBED: Final = bytes.fromhex("d9d9f7")
TICKS_PER_S: Final = 50_000_000
TICK_NS: Final = 1_000_000_000 // TICKS_PER_S
TAG_DATE: Final = 0
TAG_ARRAY: Final = 40
TAG_COMPRESSED: Final = 56500
TAG_TYPED: Final = {"uint8": 64, "uint16": 69, "uint32": 70, "float32": 85}
_AXES: Final = ("chi", "kappa", "omega", "phi", "two_theta")
_MAP, _LIST, _BYTES, _TAG = 0xA0, 0x80, 0x40, 0xC0
"""Major types, as the first byte of what begins there."""


def head(major: int, value: int) -> bytes:
    """The first bytes of a CBOR item, in the shortest form."""
    if value < 24:
        return bytes([major | value])
    size = 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
    return bytes([major | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + value.to_bytes(size, "big")


def date(unix_ns: int) -> cbor2.CBORTag:
    """RFC 3339 with milliseconds and offset, as hardware writes it; UTC."""
    moment = datetime.fromtimestamp(unix_ns // 1_000_000 / 1000, UTC)
    return cbor2.CBORTag(TAG_DATE, moment.isoformat(timespec="milliseconds"))


def _typed(array: NDArray[Any]) -> cbor2.CBORTag:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return cbor2.CBORTag(TAG_TYPED[array.dtype.name], little.tobytes())


def _array(array: NDArray[Any]) -> cbor2.CBORTag:
    return cbor2.CBORTag(TAG_ARRAY, [list(array.shape), _typed(array)])


def start(series: ArmedSeries, settings: Settings) -> bytes:
    """The start message. The three big arrays come with header detail `all` only."""
    layout, config = series.ring.layout, series.config
    everything = settings.header_detail == "all"
    fields: dict[str, Any] = {
        "type": "start",
        "series_id": series.number,
        "series_unique_id": series.unique_id,
        "arm_date": date(series.armed_unix_ns),
        "beam_center_x": _number(config, "beam_center_x"),
        "beam_center_y": _number(config, "beam_center_y"),
        "channels": list(layout.channels),
        "count_time": _number(config, "count_time"),
        "countrate_correction_enabled": bool(config.get("countrate_correction_applied", False)),
    }
    if everything:
        fields["countrate_correction_lookup_table"] = _array(series.countrate_table)
    fields |= {
        "detector_description": str(config.get("description", "")),
        "detector_serial_number": str(config.get("detector_number", "")),
        "detector_translation": _translation(config),
    }
    if everything:
        fields["flatfield"] = dict(zip(layout.channels, map(_array, series.flatfield), strict=True))
    fields |= {
        "flatfield_enabled": bool(config.get("flatfield_correction_applied", False)),
        "frame_time": _number(config, "frame_time"),
        "goniometer": _goniometer(config),
        "image_dtype": layout.dtype.name,
        "image_size_x": layout.width,
        "image_size_y": layout.height,
        "incident_energy": _number(config, "incident_energy"),
        "incident_wavelength": _number(config, "wavelength"),
        "number_of_images": series.expected,
    }
    if everything:
        fields["pixel_mask"] = dict(zip(layout.channels, map(_array, series.pixel_mask), strict=True))
    fields |= {
        "pixel_mask_enabled": bool(config.get("pixel_mask_applied", False)),
        "pixel_size_x": _number(config, "x_pixel_size"),
        "pixel_size_y": _number(config, "y_pixel_size"),
        "saturation_value": _saturation(config, layout),
        "sensor_material": str(config.get("sensor_material", "")),
        "sensor_thickness": _number(config, "sensor_thickness"),
        "threshold_energy": _thresholds(config),
    }
    appendix = settings.header_appendix
    if appendix is not None and appendix != "":
        fields["user_data"] = appendix
    fields["virtual_pixel_interpolation_enabled"] = bool(
        config.get("virtual_pixel_correction_applied", False)
    )
    return SELF_DESCRIBED + cbor2.dumps(fields)


def _number(config: Mapping[str, Value], key: str) -> float:
    value = config.get(key, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _translation(config: Mapping[str, Value]) -> list[float]:
    """Translation in metres; where the model has no such key, the distance along the beam."""
    translation = config.get("detector_translation")
    if isinstance(translation, list):
        return [float(step) for step in translation]
    return [0.0, 0.0, _number(config, "detector_distance")]


def _goniometer(config: Mapping[str, Value]) -> dict[str, dict[str, float]]:
    """Axes that are configured, that is, that move or stand off their zero; omega always."""
    axes = {
        axis: {
            "increment": _number(config, f"{axis}_increment"),
            "start": _number(config, f"{axis}_start"),
        }
        for axis in _AXES
    }
    return {axis: values for axis, values in axes.items() if axis == "omega" or any(values.values())}


def _thresholds(config: Mapping[str, Value]) -> dict[str, float]:
    """Every threshold of the detector, also those that are switched off, as in the captured message."""
    energies = {
        f"threshold_{n}": _number(config, f"threshold/{n}/energy")
        for n in range(1, 5)
        if f"threshold/{n}/energy" in config
    }
    return energies or {"threshold_1": _number(config, "threshold_energy")}


def _saturation(config: Mapping[str, Value], layout: Layout) -> int:
    cutoff = config.get("countrate_correction_count_cutoff")
    if isinstance(cutoff, int) and cutoff > 0:
        return cutoff
    return (1 << layout.bit_depth) - 2


def end(number: int, unique_id: str) -> bytes:
    """The end message: 71 bytes with a usual series number, as captured."""
    return SELF_DESCRIBED + cbor2.dumps({"type": "end", "series_id": number, "series_unique_id": unique_id})


def data_head(channel: str, layout: Layout, size: int, *, height_error: int = 0) -> bytes:
    """What stands before one channel's blob of *size* bytes; *height_error* makes the height a lie."""
    typed = head(_TAG, TAG_TYPED[layout.dtype.name])
    array = head(_TAG, TAG_ARRAY) + head(_LIST, 2) + cbor2.dumps([layout.height + height_error, layout.width])
    packed = b""
    if layout.compression != "none":
        modifier = layout.bit_depth // 8 if layout.compression == "bslz4" else 0
        packed = (
            head(_TAG, TAG_COMPRESSED) + head(_LIST, 3) + cbor2.dumps(layout.compression) + head(0, modifier)
        )
    return cbor2.dumps(channel) + array + typed + packed + head(_BYTES, size)


def image_texts(
    number: int, unique_id: str, channels: int, run: ImageRun, appendix: object = ""
) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The constant bytes of a run's image messages: before number, start, stop, data, and after the data."""
    has_appendix = appendix is not None and appendix != ""
    before_number = (
        SELF_DESCRIBED
        + head(_MAP, 10 if has_appendix else 9)
        + _fields({"type": "image", "series_id": number, "series_unique_id": unique_id})
        + cbor2.dumps("image_id")
    )
    real = {
        "real_time": [run.exposure_ns // TICK_NS, TICKS_PER_S],
        "series_date": date(run.series_date_unix_ns),
    }
    before_start = _fields(real) + cbor2.dumps("start_time") + head(_LIST, 2)
    denominator = cbor2.dumps(TICKS_PER_S)
    before_stop = denominator + cbor2.dumps("stop_time") + head(_LIST, 2)
    before_data = denominator + cbor2.dumps("data") + head(_MAP, channels)
    after = _fields({"user_data": appendix}) if has_appendix else b""
    return before_number, before_start, before_stop, before_data, after


def _fields(values: Mapping[str, Any]) -> bytes:
    """Keys and values one after another, without the map's head."""
    return b"".join(cbor2.dumps(key) + cbor2.dumps(value) for key, value in values.items())


def image(texts: tuple[bytes, bytes, bytes, bytes, bytes], number: int, run: ImageRun, data: bytes) -> bytes:
    """An image message from a run's constant bytes and the heads and blobs of all channels."""
    begun = run.start_ns + (number - run.first) * run.period_ns
    stopped = begun + run.exposure_ns
    places = (number, begun // TICK_NS, stopped // TICK_NS)
    pieces = (text + head(0, place) for text, place in zip(texts[:3], places, strict=True))
    return b"".join((*pieces, texts[3], data, texts[4]))
