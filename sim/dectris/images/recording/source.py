"""A recording as an image source: the images go out again as they were recorded."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images import countrate
from sim.dectris.images.frames import Channel, Layout, Ring, Uploaded
from sim.dectris.images.recording import hdf5
from sim.dectris.images.recording.dump import read_dump
from sim.dectris.images.recording.recorded import Recorded
from sim.errors import ConfigurationRejected


class RecordingSource:
    """An ImageSource over files: HDF5 or dumps of stream 1, found by what they begin with.

    patterns: paths or glob patterns, in the order of the images; each pattern's files in the order of their names. Data
    files that a master among them links to are read once. Raises ConfigurationRejected: nothing there, damaged,
    disagreeing, or larger than the memory that a recording may take.
    """

    def __init__(self, device: str, patterns: Sequence[str]) -> None:
        self._device = device
        self._recorded = Recorded(device)
        seen: set[Path] = set()
        for path in _masters_first(_files(device, patterns)):
            if _is_hdf5(device, path):
                hdf5.read_file(path, self._recorded, seen)
            else:
                read_dump(path, self._recorded)
        self._recorded.check_complete()
        self.fixed: Layout | None = self._recorded.layout()
        self._channels: dict[str, tuple[Channel, ...]] = {}

    def __len__(self) -> int:
        return len(self._recorded)

    def ring(self, layout: Layout, uploaded: Uploaded | None = None) -> Ring:  # noqa: ARG002  # recorded images are corrected already
        """The recorded images; in another compression they are encoded anew. Raises ConfigurationRejected."""
        ours = self._recorded.layout()
        if replace(layout, channels=ours.channels, compression="") != replace(
            layout,
            width=ours.width,
            height=ours.height,
            bit_depth=ours.bit_depth,
            channels=ours.channels,
            compression="",
        ) or not set(layout.channels) <= set(ours.channels):
            raise ConfigurationRejected(
                self._device,
                f"the recording has {ours.width} x {ours.height} pixels of {ours.bit_depth} bits in "
                f"{', '.join(ours.channels)}, and nothing else can be made of it",
            )
        if layout.compression not in self._channels:
            self._channels[layout.compression] = self._recorded.channels(layout.compression)
        made = {channel.name: channel for channel in self._channels[layout.compression]}
        return Ring(layout, tuple(made[name] for name in layout.channels))

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:
        """(height, width) mask of the master or start message; zeros where the recording has none."""
        mask = self._recorded.pixel_mask.get(layout.channels[channel])
        return np.zeros(self._recorded.shape, np.uint32) if mask is None else mask

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        """(height, width) factors of the master; ones where the recording has none."""
        flatfield = self._recorded.flatfield.get(layout.channels[channel])
        return np.ones(self._recorded.shape, np.float32) if flatfield is None else flatfield

    def countrate_table(self, layout: Layout) -> NDArray[np.float32]:
        """(2, 1000): a table of no correction."""
        return countrate.table(replace(layout, dead_share=0.0))


def _files(device: str, patterns: Sequence[str]) -> list[Path]:
    files: list[Path] = []
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if not found:
            raise ConfigurationRejected(device, f"frames.files: no file matches {pattern!r}")
        files += map(Path, found)
    return files


def _masters_first(files: list[Path]) -> list[Path]:
    """A master before the data files that it may bring: `x_data_000001.h5` sorts before `x_master.h5`."""
    return sorted(files, key=lambda path: not path.stem.endswith("_master"))


def _is_hdf5(device: str, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(hdf5.SIGNATURE)) == hdf5.SIGNATURE
    except OSError as error:
        raise ConfigurationRejected(device, f"{path}: it cannot be read: {error.strerror}") from None
