"""What can go wrong in the application.

FatError
├── BenchFileRejected   the bench file has mistakes: stop, exit 2
├── UsageError          the command line asks for something that cannot be: stop, exit 2
└── BenchError          a bench cannot start or has broken: stop, exit 3
    ├── BenchBusy           another bench uses the data folder
    ├── BenchNotUp          no bench answers
    └── ChildFailed         a simulator or the pipeline did not start, or ended
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class FatError(Exception):
    """Root of all errors that the application raises on purpose."""

    exit_code = 3


class UsageError(FatError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class BenchFileRejected(FatError):
    """The bench file has mistakes; one sentence for each."""

    exit_code = 2

    def __init__(self, path: Path, mistakes: Sequence[str]) -> None:
        self.path, self.mistakes = path, tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class BenchError(FatError):
    """A bench cannot start or has broken."""


class BenchBusy(BenchError):
    """Another bench uses the data folder."""

    exit_code = 2

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        self.data_dir, self.pid = data_dir, pid
        owner = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{data_dir} is in use by a bench that is up ({owner}); stop it with `stellwerk down`, "
            "or give this bench another data_dir"
        )


class BenchNotUp(BenchError):
    """No bench answers."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"{what} is not up; {hint}")


class ChildFailed(BenchError):
    """A simulator or the pipeline did not start, or ended by itself."""

    def __init__(self, child: str, reason: str, log: Path | None, exit_code: int = 3) -> None:
        self.child, self.reason, self.log = child, reason, log
        self.exit_code = exit_code
        where = f" (its log: {log})" if log is not None and exit_code != 2 else ""
        super().__init__(f"{child}: {reason}{where}")
