"""What a task gets at: addresses, folders, peers, from the context that the scheduler gives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fat.errors import UsageError
from fat.instruments.detector import DetectorControl
from fat.instruments.online_pipeline import OnlinePipeline
from scheduler import TaskContext


@dataclass(frozen=True, slots=True)
class TaskSurroundings:
    """Addresses and folders of one task."""

    context: TaskContext

    @property
    def parameters(self) -> dict[str, Any]:
        """The plan's parameters."""
        return dict(self.context.parameters)

    def address(self, key: str) -> str:
        """An address of the bench. Raises UsageError when the bench has none of that name."""
        endpoints = self.context.environment["endpoints"]
        if key not in endpoints:
            raise UsageError(
                f"this plan needs the endpoint {key!r}; the bench has: {', '.join(sorted(endpoints))}"
            )
        return str(endpoints[key])

    @property
    def data_dir(self) -> Path:
        """The bench's data folder."""
        return Path(self.address("data"))

    def raw_folder(self, run: int) -> Path:
        """Folder of a raw run."""
        return self.data_dir / str(self.parameters["proposal_folder"]) / "raw" / f"r{run:04d}"

    def corrected_folder(self, run: int) -> Path:
        """Folder of a corrected run."""
        return self.data_dir / str(self.parameters["proposal_folder"]) / "proc" / f"r{run:04d}"

    @property
    def constants_folder(self) -> Path:
        """Where this acceptance run keeps the constants between deriving and injecting them."""
        return self.context.run_dir / "constants"

    def pipeline(self) -> OnlinePipeline:
        """A client of the online pipeline."""
        return OnlinePipeline(self.address("pipeline"), str(self.context.environment["token"]))

    def detector(self) -> DetectorControl:
        """A client of the detector's control system."""
        return DetectorControl(self.address(f"{self.parameters['detector_device']}.control"))
