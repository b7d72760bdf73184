"""What can be broken in files on purpose. Faults strike in the loop's thread; the writer's thread gets the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.kernel import NS_PER_S, FaultBoard


@dataclass(frozen=True, slots=True)
class FileFaults:
    """What befalls one data file."""

    missing: bool = False
    keep: float | None = None
    """Share of the bytes that stay."""
    late_ns: int = 0
    disk_full: bool = False


INTACT: Final = FileFaults()


def strike_file(board: FaultBoard) -> FileFaults:
    """Ask the board as a data file begins."""
    truncated, late = board.strike("file_truncated"), board.strike("file_late")
    return FileFaults(
        missing=board.strike("file_missing") is not None,
        keep=None if truncated is None else min(1.0, max(0.0, float(truncated.parameters["keep"]))),
        late_ns=0 if late is None else round(max(0.0, float(late.parameters["delay_s"])) * NS_PER_S),
        disk_full=board.strike("file_disk_full") is not None,
    )


def strike_images(board: FaultBoard, first: int, count: int) -> frozenset[int]:
    """Numbers of the images of a run whose chunks become corrupt; costs nothing while the fault is off."""
    struck = []
    for number in range(first, first + count):
        if not board.is_on("file_corrupt_chunk"):
            break
        if board.strike("file_corrupt_chunk") is not None:
            struck.append(number)
    return frozenset(struck)
