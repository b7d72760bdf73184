"""Where a result comes from: which source, which versions, who."""

from __future__ import annotations

import getpass
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import fat
from fat.errors import UsageError

ANALYSING: Final = ("stellwerk", "numpy", "h5py", "matplotlib")
_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """The source tree that this code runs from."""

    revision: str
    """Of git, 40 hex digits; empty where there is no repository: an installed distribution."""
    changed: tuple[str, ...]
    """Files with changes that were not committed, and what git does not know."""

    @property
    def short(self) -> str:
        """The revision as people write it; `+` when there are changes."""
        return f"{self.revision[:7]}{'+' if self.changed else ''}"


def source() -> Source:
    """What git tells of the source tree; nothing without git, or outside a repository."""
    root = Path(fat.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return Source("", ())
    changes = _git(root, "status", "--porcelain", "--", "fat", "scheduler", "pipeline", "configs")
    return Source(_git(root, "rev-parse", "HEAD").strip(), tuple(line[3:] for line in changes.splitlines()))


def demand_committed(force: bool) -> None:
    """Raise UsageError when the source has changes that no revision tells of, unless *force*."""
    changed = source().changed
    if changed and not force:
        told = ", ".join(changed[:5]) + (", …" if len(changed) > 5 else "")
        raise UsageError(
            f"the source has changes that are not committed ({told}); "
            "commit them, so that results can be traced to a revision, or use --force"
        )


def versions() -> dict[str, str]:
    """Of Python, of this software, and of what it computes with."""
    return {"python": platform.python_version(), **{name: _version(name) for name in ANALYSING}}


def operator() -> str:
    """The account that started this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
