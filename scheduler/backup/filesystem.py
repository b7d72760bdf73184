"""Everything that fsspec reaches: `s3://bucket/path`, `file:///path`, `memory://name`.

Keys, endpoints and profiles come from where the protocol's package takes them (for S3 the AWS files and variables),
and from fsspec's own settings (`~/.config/fsspec`, `FSSPEC_S3_ENDPOINT_URL`); never from an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scheduler.errors import BackupFailed

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CHUNK_BYTES: Final = 1 << 20
EXTRAS: Final = {"s3": "s3", "s3a": "s3"}
"""Protocols for whose package we have an extra."""
STORES: Final = frozenset({"abfs", "abfss", "az", "gcs", "gs", "oci", "oss", "s3", "s3a"})
"""Protocols of stores without folders. To make one there is to make a bucket, wherever a misspelt name leads."""


class Filesystem:
    """A folder in a file system of fsspec."""

    def __init__(self, address: str) -> None:
        self.address, self._protocol = address, address.partition("://")[0]
        self._opened: tuple[AbstractFileSystem, str] | None = None

    def put(self, source: Path, name: str) -> None:
        """Upload it."""
        with self._reached() as (files, root):
            if self._protocol not in STORES:
                files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            files.put_file(str(source), f"{root}/{name}")

    def sha256(self, name: str) -> str:
        """Read it back in full."""
        digest = hashlib.sha256()
        with self._reached() as (files, root), files.open(f"{root}/{name}", "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def fetch(self, name: str, target: Path) -> None:
        """Download it."""
        with self._reached() as (files, root):
            files.get_file(f"{root}/{name}", str(target))

    def entries(self, folder: str) -> list[str]:
        """List it, from the server and not from memory."""
        with self._reached() as (files, root):
            files.invalidate_cache()
            try:
                found: list[Any] = files.ls(f"{root}/{folder}".rstrip("/"), detail=False)
            except FileNotFoundError:
                return []
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def remove(self, name: str) -> None:
        """Delete it."""
        with self._reached() as (files, root), contextlib.suppress(FileNotFoundError):
            files.rm_file(f"{root}/{name}")

    @contextlib.contextmanager
    def _reached(self) -> Iterator[tuple[AbstractFileSystem, str]]:
        try:
            if self._opened is None:
                from fsspec.core import url_to_fs

                files, root = url_to_fs(self.address)
                if isinstance(loop := getattr(files, "loop", None), asyncio.AbstractEventLoop):
                    loop.call_soon_threadsafe(loop.set_exception_handler, _tell_once)
                self._opened = files, root.rstrip("/")
            yield self._opened
        except ImportError as error:
            raise BackupFailed(self.address, self._missing(error)) from error
        except Exception as error:
            raise BackupFailed(self.address, f"{type(error).__name__}: {error}") from error

    def _missing(self, error: ImportError) -> str:
        extra = EXTRAS.get(self._protocol)
        advice = f"pip install 'stellwerk[{extra}]'" if extra else str(error)
        return f"the package that reaches {self._protocol}:// is not installed here: {advice}"


def _tell_once(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A line that breaks ends the request, which tells why; its parts that nobody waits for need no traceback each."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)
