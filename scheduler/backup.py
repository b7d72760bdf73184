"""Backups of a run's records: packed, made durable, then read back and compared before anyone says that it worked."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.errors import BackupFailed
from scheduler.journal import sync_folder
from scheduler.live import LIVE_NAME

MAX_BYTES: Final = 256 << 20
"""Of all that is packed, before compression. Records are small; more means that a pattern catches detector data."""


@dataclass(frozen=True, slots=True)
class Backup:
    """An archive that has been read back."""

    file: Path
    sha256: str
    """Of the archive."""
    files: int


def default_backup_dir(run_dir: Path) -> Path:
    """`backup` beside the folder of the runs."""
    return run_dir.resolve().parent.parent / "backup"


def make_backup(run_dir: Path, backup_dir: Path, name: str, include: Sequence[str]) -> Backup:
    """Pack the records of a run into `{backup_dir}/{run}/{name}.tar.gz` and read them back.

    Raises BackupFailed. Then an archive of that name either is not there or must not be trusted; earlier ones are
    untouched, because *name* is never used twice.
    """
    folder = backup_dir / run_dir.name
    final, beside = folder / f"{name}.tar.gz", folder / f".{name}.tar.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        packed = _pack(run_dir, beside, _chosen(run_dir, include))
        beside.rename(final)
        sync_folder(folder)
        return _verify(final, packed)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise BackupFailed(final, str(error)) from error


def _chosen(run_dir: Path, include: Iterable[str]) -> list[Path]:
    found = {path for pattern in include for path in run_dir.glob(pattern)}
    return sorted(
        path
        for path in found
        if path.is_file() and not path.is_symlink() and path.name != LIVE_NAME and path.name[0] != "."
    )


def _pack(run_dir: Path, target: Path, chosen: Sequence[Path]) -> dict[str, str]:
    """Write the archive; return the digest of each member as it was read for packing."""
    packed: dict[str, str] = {}
    total = 0
    with target.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
            for path in chosen:
                content = path.read_bytes()
                total += len(content)
                if total > MAX_BYTES:
                    raise BackupFailed(
                        target, f"more than {MAX_BYTES >> 20} MiB; take data out of backup_include"
                    )
                member = tarfile.TarInfo(str(path.relative_to(run_dir)))
                member.size, member.mtime, member.mode = len(content), int(path.stat().st_mtime), 0o644
                archive.addfile(member, io.BytesIO(content))
                packed[member.name] = hashlib.sha256(content).hexdigest()
        file.flush()
        os.fsync(file.fileno())
        # Reading back must ask the disk, not the memory in which the bytes still lie.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return packed


def _verify(path: Path, packed: dict[str, str]) -> Backup:
    found: dict[str, str] = {}
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                found[member.name] = hashlib.sha256(content.read()).hexdigest()
    differing = sorted(name for name in found.keys() | packed.keys() if found.get(name) != packed.get(name))
    if differing:
        raise BackupFailed(path, f"does not read back: {', '.join(differing)}")
    with path.open("rb") as file:
        return Backup(path, hashlib.file_digest(file, "sha256").hexdigest(), len(found))
