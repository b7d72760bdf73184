"""Archives of a run's records: `.tar.gz` with a manifest. They may come from other hands, and are not believed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from scheduler.errors import BackupFailed
from scheduler.files import sync_folder

MAX_BYTES: Final = 256 << 20
"""Of all that is packed, before compression. Records are small; more means that a pattern catches detector data."""
MAX_FILES: Final = 50_000
OVERHEAD_BYTES: Final = 128 << 20
"""Of the headers of MAX_FILES files, and room."""
MANIFEST: Final = ".manifest.json"
"""Last in the archive: the SHA-256 of every other member. Names that begin with a dot are never packed."""
ARCHIVE_NAME: Final = re.compile(
    r"(?P<seq>\d{6,12})-(?P<label>[\w.-]{1,100})-(?P<digest>[0-9a-f]{16})\.tar\.gz"
)


def archive_name(seq: int, label: str, sha256: str) -> str:
    """Such as `000124-dark-5f0c….tar.gz`. The digest in it makes the name new whenever the content is."""
    return f"{seq:06d}-{label}-{sha256[:16]}.tar.gz"


def newest_first(names: Iterable[str]) -> list[str]:
    """The names of archives among *names*, latest record first."""
    found = [(int(match["seq"]), name) for name in names if (match := ARCHIVE_NAME.fullmatch(name))]
    return [name for _, name in sorted(found, reverse=True)]


def unpack(archive: Path, target: Path) -> int:
    """Unpack into the empty folder *target*, durably, and compare with the manifest; returns how many files.

    Raises BackupFailed; *target* may then hold a part.
    """
    found: dict[str, str] = {}
    manifest = b""
    folders = {target}
    try:
        for name, content in members(archive):
            if name == MANIFEST:
                manifest = content
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            found[name] = _digest(content)
            folders |= {target / parent for parent in Path(name).parents}
        for folder in folders:
            sync_folder(folder)
    except OSError as error:
        raise BackupFailed(str(archive), str(error)) from error
    if found != _listed(manifest):
        raise BackupFailed(str(archive), "its files are not those that its manifest lists")
    return len(found)


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents, one after another. Raises BackupFailed for damage and for all that records never are."""
    seen: set[str] = set()
    try:
        with gzip.open(archive) as plain, tarfile.open(fileobj=_Bounded(plain), mode="r|") as tar:
            for member in tar:
                _demand_harmless(member, seen)
                content = tar.extractfile(member)
                assert content is not None  # it is a file
                yield member.name, content.read()
    except (OSError, tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise BackupFailed(str(archive), f"does not read back: {error}") from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file as the disk has it, not the memory in which its bytes still lie."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Bounded(io.RawIOBase):
    """Reads no more than an archive of ours can hold, whatever the archive claims."""

    def __init__(self, source: gzip.GzipFile) -> None:
        self._source, self._left = source, MAX_BYTES + OVERHEAD_BYTES

    def read(self, size: int = -1) -> bytes:
        found = self._source.read(size)
        self._left -= len(found)
        if self._left < 0:
            raise ValueError("it holds far more than records")
        return found


def _demand_harmless(member: tarfile.TarInfo, seen: set[str]) -> None:
    name = member.name
    if (
        not member.isreg()
        or member.sparse is not None
        or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE)
    ):
        raise ValueError(f"{name!r} is not a plain file")
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"{name!r} leads out of the folder")
    if name in seen:
        raise ValueError(f"{name!r} is in it twice")
    seen.add(name)
    if len(seen) > MAX_FILES + 1:
        raise ValueError("it holds far more files than records are")


def _listed(manifest: bytes) -> dict[str, str] | None:
    try:
        body = json.loads(manifest)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
