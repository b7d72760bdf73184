"""The appender: matched trains into corrected sequence files that all cover the same trains."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pipeline.daq.growing import RunIdentity
from pipeline.errors import NotInThisState, SettingRejected
from pipeline.model import CorrectedModule, MatchedTrain
from pipeline.online.corrected_file import CorrectedFile, corrected_name

COMPRESSORS: Final = 2


class Appender:
    """Writes corrected runs. One thread at a time writes.

    kind       AGIPD, LPD or DSSC
    folder_of  the folder of a run
    """

    def __init__(
        self,
        kind: str,
        detector: str,
        modules: Sequence[int],
        proposal: int,
        sequence_trains: int,
        folder_of: Callable[[int], Path],
    ) -> None:
        self._kind, self._detector, self._modules = kind, detector, tuple(modules)
        self._proposal, self._sequence_trains, self._folder_of = proposal, sequence_trains, folder_of
        self._files: dict[int, CorrectedFile] = {}
        self._identity: RunIdentity | None = None
        self._each: ThreadPoolExecutor | None = None
        self.folder: Path | None = None
        self.trains = 0
        """Trains written in this run, or in the last one."""
        self.problem = ""

    @property
    def writing(self) -> bool:
        """Whether a run is open."""
        return self._identity is not None

    def start_file(self, run: int, replace: bool = False) -> Path:
        """Open a run; its folder. Raises NotInThisState, SettingRejected."""
        if self.writing:
            raise NotInThisState(
                "appender", "start_file", "writing", "without an open run; call stop_file first"
            )
        if not 1 <= run <= 9999:
            raise SettingRejected("run", run, "a number from 1 to 9999")
        folder = self._folder_of(run)
        if folder.exists():
            if not replace:
                raise SettingRejected(
                    "run", run, f"a new number, {folder} exists (replace=true overwrites it)"
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        self._each = ThreadPoolExecutor(COMPRESSORS, thread_name_prefix="compress")
        self._identity, self.folder, self.trains, self.problem = (
            RunIdentity(self._proposal, run, "corrected"),
            folder,
            0,
            "",
        )
        return folder

    def write(self, matched: MatchedTrain[CorrectedModule]) -> None:
        """Append a train, if a run is open. A disk that refuses ends the run with a problem, not the pipeline."""
        if self._identity is None or self.problem:
            return
        try:
            if self.trains % self._sequence_trains == 0:
                image = next(iter(matched.modules.values())).data.shape[1:]
                self._begin_sequence(
                    self.trains // self._sequence_trains, self._identity, (image[0], image[1])
                )
            for module, file in self._files.items():
                file.append(matched.train_id, matched.timestamp_ns, matched.modules.get(module))
            self.trains += 1
        except OSError as error:
            self.problem = f"{self.folder}: {error}"

    def stop_file(self) -> int:
        """Close the run; trains written. Without an open run, 0."""
        if self._identity is None:
            return 0
        self._close_files()
        self._identity = None
        if self._each is not None:
            self._each.shutdown()
            self._each = None
        return self.trains

    def reset(self) -> None:
        """Close what is open and forget the problem."""
        self.stop_file()
        self.problem = ""

    def _begin_sequence(self, sequence: int, identity: RunIdentity, image: tuple[int, int]) -> None:
        self._close_files()
        assert self.folder is not None
        assert self._each is not None
        for module in self._modules:
            path = self.folder / corrected_name(self._kind, identity.run, module, sequence)
            self._files[module] = CorrectedFile(
                path, self._detector, module, identity, sequence, image, each=self._each.map
            )

    def _close_files(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
