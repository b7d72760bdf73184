"""What a gain scan keeps of itself (`TaskContext.keep`), and how an attempt that follows takes it up.

Of each point the files of data tell all; kept are their digests, so that no point is believed whose file is another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fat.degg.analyses.dark_pulses import pulses_of
from fat.degg.analyses.high_voltage import Readings
from fat.degg.analyses.spe import Spectrum, fit_peaks, sure_charge_pc
from fat.degg.station.data_files import DataFileBroken, file_name, read, write
from fat.degg.tasks.gain_scan import Scan, Step
from fat.degg.tasks.photomultipliers import Pmt
from scheduler import TaskContext


class KeptScans:
    """The scans of a task as they stand: `{"celsius", "scans": {PMT: {"points": [[V, SHA-256]], "again", "off"}}}`.

    folder   of the data
    celsius  temperature when the scan begins, C; one that goes on has that of its beginning
    """

    def __init__(self, context: TaskContext, folder: Path, celsius: float) -> None:
        self._context, self._folder = context, folder
        kept: Mapping[str, Any] = context.kept or {}
        self.celsius = float(kept.get("celsius", celsius))
        self._earlier: Mapping[str, Any] = kept.get("scans", {})
        self._points: dict[Pmt, list[tuple[float, str]]] = {}

    def write(self, pmt: Pmt, step: Step, told: Mapping[str, Any]) -> None:
        """Write the data of a point; the reads of its high voltage go with it."""
        reads = {"hv_read_std": step.read.std, "hv_reads": step.read.reads}
        path = write(self._folder / file_name(pmt.file_serial, step.volts), step.events, {**told, **reads})
        self._points.setdefault(pmt, []).append((step.volts, _sha256(path)))

    def keep(self, scans: Mapping[Pmt, Scan]) -> None:
        """Keep them as they stand after a point of each."""
        told = {pmt.file_serial: self._told(pmt, found) for pmt, found in scans.items()}
        self._context.keep({"celsius": self.celsius, "scans": told})

    def taken_up(self, pmts: Sequence[Pmt]) -> dict[Pmt, Scan]:
        """The scans of an attempt before; each with its points up to the first whose file is not as it was written."""
        return {pmt: self._scan(pmt, self._earlier[pmt.file_serial]) for pmt in pmts if self._knows(pmt)}

    def _knows(self, pmt: Pmt) -> bool:
        return pmt.file_serial in self._earlier

    def _told(self, pmt: Pmt, found: Scan) -> dict[str, Any]:
        off = None
        if found.off is not None:  # without a single read they are no numbers, which JSON has not
            mean, std = (one if math.isfinite(one) else None for one in (found.off.mean, found.off.std))
            off = [mean, std, found.off.reads]
        return {"points": self._points.get(pmt, []), "again": found.again, "off": off}

    def _scan(self, pmt: Pmt, kept: Mapping[str, Any]) -> Scan:
        found = Scan(again=bool(kept["again"]))
        for volts, digest in kept["points"]:
            step = self._step(pmt, float(volts), str(digest))
            if step is None:
                return found
            found.see(step.read)
            found.add(step)
            self._points.setdefault(pmt, []).append((float(volts), str(digest)))
        if kept["off"] is not None:
            mean, std, reads = kept["off"]
            found.fail(Readings(math.nan if mean is None else mean, math.nan if std is None else std, reads))
        return found

    def _step(self, pmt: Pmt, volts: float, digest: str) -> Step | None:
        path = self._folder / file_name(pmt.file_serial, volts)
        try:
            if _sha256(path) != digest:
                raise DataFileBroken(path, "its bytes are others than were written")
            file = read(path)
        except (OSError, DataFileBroken):
            self._context.note(
                f"{pmt.name}: measured again from {volts:.0f} V: {path} is not as it was written"
            )
            return None
        told, taken = file.attributes, file.waveforms
        reads = Readings(float(told["hv_read"]), float(told["hv_read_std"]), int(told["hv_reads"]))
        threshold = float(told["threshold"])
        spectrum = Spectrum(pulses_of(taken.samples).charge_pc, sure_charge_pc(threshold))
        (peak,) = fit_peaks([spectrum])
        return Step(volts, reads, float(told["baseline"]), threshold, taken, spectrum, peak)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
