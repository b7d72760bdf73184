"""What the file writer's keys say when a series is armed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sim.dectris.keys import Value

LEGACY: Final = "hdf5 nexus legacy nxmx"
NXMX: Final = "hdf5 nexus v2024.2 nxmx"


@dataclass(frozen=True, slots=True)
class FileWriterSettings:
    """The configuration of the module filewriter (SIMPLON API reference 1.8)."""

    enabled: bool = False
    name_pattern: str = "series_$id"
    images_per_file: int = 1000
    """0: all images lie in the master file."""
    image_nr_start: int = 1
    """Number that the first image of a series gets in `image_nr_low`."""
    compressed: bool = True
    """False: images lie in the files as they are, whatever the detector's compression."""
    stacked: bool = False
    """The format of 2024: all channels in one array of four axes. The legacy format has the first channel alone."""

    @classmethod
    def read(cls, config: Mapping[str, Value]) -> FileWriterSettings:
        """Settings from the values of the module's keys; a key that is not there has the vendor's default."""
        plain = cls()
        return cls(
            enabled=config.get("mode") == "enabled",
            name_pattern=str(config.get("name_pattern", plain.name_pattern)),
            images_per_file=_whole(config.get("nimages_per_file"), plain.images_per_file),
            image_nr_start=_whole(config.get("image_nr_start"), plain.image_nr_start),
            compressed=bool(config.get("compression_enabled", True)),
            stacked=config.get("format", LEGACY) == NXMX,
        )


def _whole(value: Value | None, default: int) -> int:
    return value if isinstance(value, int) else default
