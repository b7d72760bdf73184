"""`frames = {…}` of a control unit's table: where its images come from."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from sim.dectris.images.frames import ImageSource
    from sim.dectris.images.scenes import Scene
    from sim.dectris.images.sensor import Sensor

Photons: TypeAlias = Annotated[float, Field(gt=0, le=1e6)]
Positions: TypeAlias = Annotated[int, Field(ge=1, le=4096)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SceneTable(_Table):
    """`frames = {source = "scene", …}`: a scene on the model's sensor."""

    source: Literal["scene"]
    scene: Literal["stem4d", "bragg", "rings", "flat"] = "stem4d"
    distinct: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Different images; then they come again. Without it 64, fewer on detectors of more than a million pixels."""
    mean: Photons = 0.5
    """Photons for each pixel of the whole sensor and image, in the mean."""
    nav: Annotated[list[Positions], Field(min_length=2, max_length=2)] = [8, 8]
    """stem4d: rows and columns of the scan."""


class SyntheticTable(_Table):
    """`frames = {source = "synthetic", …}`: rings, or the same everywhere, on a detector of no model, of any size."""

    source: Literal["synthetic"] = "synthetic"
    scene: Literal["rings", "flat"] = "rings"
    width: Annotated[int, Field(ge=16, le=4150)] = 514
    height: Annotated[int, Field(ge=16, le=4371)] = 514
    bit_depth: Literal[8, 16, 32] = 16
    distinct: Annotated[int, Field(ge=1, le=65536)] = 16
    """Different images; then they come again."""
    mean: Photons = 0.5
    """Photons for each pixel and image, in the mean."""


class FilesTable(_Table):
    """`frames = {source = "files", …}`: a recording, again and again."""

    source: Literal["files"]
    files: Annotated[list[str], Field(min_length=1)]
    """Paths or glob patterns of masters, data files, stacks, or dumps of stream 1, in the order of the images."""


FramesTable: TypeAlias = Annotated[SceneTable | SyntheticTable | FilesTable, Field(discriminator="source")]


def image_source(
    device: str, table: SceneTable | SyntheticTable | FilesTable, sensor: Sensor, *, seed: int, serial: str
) -> ImageSource:
    """The source that a table describes. *sensor*: the model's; only scenes need it. Raises ConfigurationRejected."""
    # A bench file is checked without numba, which what makes images takes a second to load.
    from sim.dectris.images.recording.source import RecordingSource
    from sim.dectris.images.scene_source import SceneSource, default_distinct, source_key
    from sim.dectris.images.scenes import Bragg, Flat, Rings, Stem4D
    from sim.dectris.images.sensor import custom_sensor

    if isinstance(table, FilesTable):
        return RecordingSource(device, table.files)
    key = source_key(seed, serial)
    if isinstance(table, SyntheticTable):
        sensor = custom_sensor(table.width, table.height)
        made = Flat(table.mean) if table.scene == "flat" else Rings(table.mean)
        return SceneSource(device, made, sensor, key=key, distinct=table.distinct)
    distinct = table.distinct or default_distinct(sensor.width * sensor.height)
    scene: Scene
    match table.scene:
        case "stem4d":
            rows, columns = table.nav
            scene = Stem4D(table.mean, (rows, columns))
            distinct = min(distinct, prod(table.nav))
        case "bragg":
            scene = Bragg(table.mean, key)
        case "rings":
            scene = Rings(table.mean)
        case "flat":
            scene = Flat(table.mean)
    return SceneSource(device, scene, sensor, key=key, distinct=distinct)
