"""From a bench file's table to the detector that it describes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sim.dectris.configuration import DetectorConfiguration
from sim.dectris.images.frames import ImageSource
from sim.dectris.images.sensor import Sensor
from sim.dectris.images.tables import SyntheticTable
from sim.dectris.models import MODELS, Model, custom
from sim.dectris.refusal import Refused
from sim.dectris.table import DcuTable
from sim.errors import ConfigurationRejected

DEFAULT_MODEL: Final = "EIGER2 X 500K"
CUSTOM_DESCRIPTION: Final = "Dectris EIGER2 Si 500K"
CUSTOM_SERIAL: Final = "E-08-0100"


def detector_model(device: str, table: DcuTable) -> Model:
    """The model's row, with the table's description and serial number. Raises ConfigurationRejected."""
    frames = table.frames
    if isinstance(frames, SyntheticTable):
        description = table.description or CUSTOM_DESCRIPTION
        serial = table.serial or CUSTOM_SERIAL
        return custom(frames.width, frames.height, frames.bit_depth, description, serial)
    name = table.model or DEFAULT_MODEL
    if name not in MODELS:
        known = ", ".join(MODELS)
        raise ConfigurationRejected(device, f"model: there is no {name!r}; there are: {known}")
    model = MODELS[name]
    return replace(
        model, description=table.description or model.description, serial=table.serial or model.serial
    )


def sensor_of(model: Model) -> Sensor:
    """The model's sensor, as scenes need it."""
    modules = model.modules
    return Sensor(model.width, model.height, modules.width, modules.height, modules.gap_x, modules.gap_y)


def configured(device: str, model: Model, source: ImageSource, table: DcuTable) -> DetectorConfiguration:
    """The configuration with the table's defaults. Raises ConfigurationRejected."""
    try:
        return DetectorConfiguration(model, source, table.config)
    except Refused as refused:
        raise ConfigurationRejected(device, f"config: {refused.reason}") from None
