"""The flash memory of a mainboard: FPGA images and whatever else was put there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sim.degg.refusal import Refused

CAPACITY: Final = 64 << 20
MAX_FILES: Final = 64
MAX_NAME: Final = 31
"""Characters of a file's name; the public client refuses longer ones."""
_BLOCK: Final = 4096
_IMAGE: Final = re.compile(r".*v0x([0-9a-fA-F]{1,4})\.rbf")


@dataclass(frozen=True, slots=True)
class FlashFile:
    """One file."""

    name: str
    size: int
    content: bytes = b""
    """Empty for the images that a module comes with: nobody needs their bits."""


class FlashDirectory:
    """Files, the oldest first."""

    def __init__(self, images: dict[str, int]) -> None:
        self._files = {name: FlashFile(name, size) for name, size in images.items()}

    def listing(self) -> list[str]:
        """A header, a rule and a row for each file; the last is the newest."""
        rows = ["Name                             Size     Offset", "-" * 52]
        offset = 0
        for file in self._files.values():
            rows.append(f"{file.name:<32} {file.size:<8d} 0x{offset:08x}")
            offset += -(-file.size // _BLOCK) * _BLOCK
        return rows

    def version_of(self, name: str) -> int:
        """The version of the FPGA image in a file. Raises Refused for anything else."""
        if name not in self._files:
            raise Refused(f"no file {name}")
        match = _IMAGE.fullmatch(name)
        if match is None:
            raise Refused(f"{name} is no FPGA image")
        return int(match.group(1), 16)

    def content(self, name: str) -> bytes:
        """What a file holds. Raises Refused."""
        if name not in self._files:
            raise Refused(f"no file {name}")
        return self._files[name].content

    def write(self, name: str, content: bytes) -> None:
        """Add a file; it is the newest then. Raises Refused."""
        if not name or len(name) > MAX_NAME or any(character.isspace() for character in name):
            raise Refused("bad file name")
        others = [file for file in self._files.values() if file.name != name]
        if len(others) >= MAX_FILES or sum(file.size for file in others) + len(content) > CAPACITY:
            raise Refused("flash is full")
        self._files.pop(name, None)
        self._files[name] = FlashFile(name, len(content), content)

    def remove(self, name: str) -> None:
        """Delete a file. Raises Refused."""
        if self._files.pop(name, None) is None:
            raise Refused(f"no file {name}")

    def clear(self) -> None:
        """Delete all."""
        self._files.clear()
