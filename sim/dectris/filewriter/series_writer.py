"""The files of one series: a master, and data files with the images. Runs in the file writer's thread."""

from __future__ import annotations

import os
from array import array
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import h5py
import numpy as np

from sim.dectris.filewriter.faults import INTACT, FileFaults
from sim.dectris.filewriter.image_dataset import ImageDataset
from sim.dectris.filewriter.legacy import write_legacy_master
from sim.dectris.filewriter.names import base_name, data_name, link_name, master_name
from sim.dectris.filewriter.nexus import Taken, group
from sim.dectris.filewriter.nxmx import write_nxmx_master
from sim.dectris.filewriter.settings import FileWriterSettings
from sim.dectris.filewriter.store import FinishedFiles
from sim.dectris.sinks import ArmedSeries, ImageRun

_PLANNED_IMAGES: Final = 1_000_000
"""As many images a master announces before they are taken; of a longer series it tells all at the end."""
_PLANNED_FILES: Final = 1000
_NO_SUCH_FILE: Final = 999_998
"""Where a wrong link leads."""


@dataclass(slots=True, eq=False)
class Job:
    """A series as the loop hands it to the writer's thread."""

    series: ArmedSeries
    settings: FileWriterSettings
    wrong_link: bool = False
    faults: dict[int, FileFaults] = field(default_factory=dict)
    """By data file; entered before the file's first image is handed over."""
    stretches: array[int] = field(default_factory=lambda: array("q"))
    """Beginnings of images as regular stretches, three numbers each: start_ns, period_ns, count. Read after the end."""
    series_unix_ns: int | None = None
    """When the first image began."""
    aborted: bool = False
    """Images that wait are dropped."""

    def note_times(self, run: ImageRun) -> None:
        """Keep when images began; only the format of 2024 has a place for it."""
        self.series_unix_ns = run.series_date_unix_ns
        if not self.settings.stacked:
            return
        known = self.stretches
        if known and known[-2] == run.period_ns and known[-3] + known[-1] * known[-2] == run.start_ns:
            known[-1] += run.count
        else:
            known.extend((run.start_ns, run.period_ns, run.count))

    def file_of(self, image: int) -> int:
        """Number of the data file of an image, from 0."""
        return image // self.settings.images_per_file if self.settings.images_per_file else 0

    def first_of(self, file: int) -> int:
        """Number of a data file's first image."""
        return file * self.settings.images_per_file

    @property
    def files_hold(self) -> int:
        """Images of a full data file."""
        return self.settings.images_per_file or max(1, self.series.expected)


class SeriesWriter:
    """Writes what a job says, image by image."""

    def __init__(self, job: Job, files: FinishedFiles) -> None:
        """Raises NameRefused."""
        self._job, self._files = job, files
        self._base = base_name(job.settings.name_pattern, job.series.number)
        self._open: h5py.File | None = None
        self._open_number = 0
        self._images: ImageDataset | None = None
        self._bytes = self._planned = 0
        self.taken = 0
        self.lost = 0
        """Images for which the buffer had no room."""

    def begin(self) -> None:
        """Write the master with what is known; with all images in the master begin that one. Raises OSError."""
        if not self._job.settings.images_per_file:
            self._open_file(0)
            return
        self._planned = min(self._job.series.expected, _PLANNED_IMAGES, _PLANNED_FILES * self._job.files_hold)
        self._write_master(Taken(self._planned))

    def take(self, first: int, count: int, corrupt: AbstractSet[int]) -> int:
        """Write up to *count* images from number *first* on, into one file. How many; raises OSError."""
        file = self._job.file_of(first)
        if self._images is None:
            self._open_file(file)
        assert self._images is not None
        count = min(count, self._job.files_hold - self._images.rows)
        sizes = np.cumsum(self._images.bytes_of(first, count))
        fitting = int(np.searchsorted(sizes, self._files.free, side="right"))
        if fitting:
            self._images.append(first, fitting, corrupt)
            self._bytes += int(sizes[fitting - 1])
            self._files.grown(self._bytes)
        if fitting < count:
            self._images.skip(count - fitting)
            self.lost += count - fitting
        self.taken += count
        if self._images.rows == self._job.files_hold and self._job.settings.images_per_file:
            self._close_file()
        return count

    def finish(self) -> None:
        """Cut the last data file to its images; correct the master where it announced others. Raises OSError."""
        if not self._job.settings.images_per_file:
            self._close_file()
            return
        if self._images is not None:
            self._close_file()
        announced = self._planned == self.taken and not self.lost and not self._job.settings.stacked
        # A client may have cleared the files in the middle of the series.
        if not announced or self._files.path(master_name(self._base)) is None:
            self._write_master(self._known())

    def give_up(self) -> None:
        """Throw away what is not finished; used after an error."""
        file, self._open, self._images = self._open, None, None
        self._bytes = 0
        self._files.grown(0)
        if file is not None:
            # The file may be past closing, e.g. on a full disk.
            with suppress(OSError, RuntimeError, ValueError):
                file.close()
            with suppress(OSError):
                self._files.discard(self._name_of(self._open_number))

    def _name_of(self, file: int) -> str:
        return data_name(self._base, file) if self._job.settings.images_per_file else master_name(self._base)

    def _open_file(self, file: int) -> None:
        if self._job.faults.get(file, INTACT).disk_full:
            raise OSError(28, "No space left on device")
        name = self._name_of(file)
        self._files.forget(name)
        self._open_number = file
        self._open = h5py.File(self._files.unfinished(name), "w")
        data = group(group(self._open, "entry", "NXentry"), "data", "NXdata")
        # A reader of legacy files counts over data_*; it finds the images in the master by the same name.
        in_master = not self._job.settings.images_per_file and not self._job.settings.stacked
        self._images = ImageDataset(
            data,
            "data_000001" if in_master else "data",
            self._job.series.ring,
            rows=self._job.files_hold,
            stacked=self._job.settings.stacked,
            compressed=self._job.settings.compressed,
        )

    def _close_file(self) -> None:
        assert self._open is not None
        assert self._images is not None
        first = self._job.first_of(self._open_number)
        self._images.finish(self._job.settings.image_nr_start + first)
        if not self._job.settings.images_per_file:
            self._write_into(self._open, self._known())
        self._open.close()
        self._open = self._images = None
        self._publish(self._name_of(self._open_number), self._job.faults.get(self._open_number, INTACT))
        self._bytes = 0
        self._files.grown(0)

    def _publish(self, name: str, faults: FileFaults) -> None:
        if faults.missing:
            self._files.discard(name)
            return
        if faults.keep is not None:
            path = self._files.unfinished(name)
            os.truncate(path, int(path.stat().st_size * faults.keep))
        self._files.finish(name, faults.late_ns)

    def _known(self) -> Taken:
        starts = None
        if self._job.settings.stacked:
            stretches = np.frombuffer(self._job.stretches, np.int64).reshape(-1, 3)
            starts = np.concatenate(
                [np.zeros(0, np.int64), *(start + period * np.arange(n) for start, period, n in stretches)]
            )[: self.taken]
        return Taken(self.taken, self.lost, starts, self._job.series_unix_ns)

    def _write_master(self, taken: Taken) -> None:
        name = master_name(self._base)
        with h5py.File(self._files.unfinished(name), "w") as file:
            self._write_into(file, taken)
        self._files.finish(name)

    def _write_into(self, file: h5py.File, taken: Taken) -> None:
        parts = self._parts(taken) if self._job.settings.images_per_file else []
        if self._job.settings.stacked:
            write_nxmx_master(file, self._job.series, taken, parts)
        else:
            links = [(f"data_{place:06d}", name) for place, (name, _) in enumerate(parts, start=1)]
            write_legacy_master(file, self._job.series, taken, links)

    def _parts(self, taken: Taken) -> list[tuple[str, int]]:
        """Data files, as seen from the master, with their images."""
        hold = self._job.files_hold
        count = -(-taken.count // hold)
        names = [link_name(self._base, file) for file in range(count)]
        if self._job.wrong_link and names:
            names[0] = link_name(self._base, _NO_SUCH_FILE)
        return [(name, min(hold, taken.count - file * hold)) for file, name in enumerate(names)]
