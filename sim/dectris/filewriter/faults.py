"""What can be broken in files on purpose. Faults strike in the loop's thread; the writer's thread gets the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.kernel import NS_PER_S, FaultBoard, FaultSpec

FAULTS: Final = (
    FaultSpec(
        "file_missing",
        "A data file never appears though its images were taken.",
        "404 at HEAD /data/NAME; the master's link leads nowhere",
    ),
    FaultSpec(
        "file_truncated",
        "A data file is cut off.",
        "opening it with HDF5 fails: truncated file",
        {"keep": 0.5},
    ),
    FaultSpec(
        "file_late",
        "A data file appears some time after its last image.",
        "404 at HEAD /data/NAME until then",
        {"delay_s": 5.0},
    ),
    FaultSpec(
        "file_wrong_link",
        "The master's first link names a file that does not exist.",
        "reading through the master fails (format of 2024: zeros); the data file itself is intact",
    ),
    FaultSpec(
        "file_corrupt_chunk",
        "16 bytes in the middle of an image's chunk are inverted.",
        "reading that image fails, or its sum is wrong; its neighbours are intact",
    ),
    FaultSpec(
        "file_disk_full",
        "The disk is full when a data file begins.",
        "filewriter status: state error, and a sentence in error",
    ),
)


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
