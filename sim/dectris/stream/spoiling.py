"""What a fault does to one image message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INVERTED_BYTES: Final = 16
WRONG_HASH: Final = "0" * 32
EXTRA_PART: Final = b"nobody expects this part"


@dataclass(frozen=True, slots=True)
class Spoiled:
    """How one image message lies. As it is made, it lies not at all."""

    series_offset: int = 0
    """Added to the series number."""
    size_error: int = 0
    """Stream 1: added to the told bytes of the data; stream 2: to the told height."""
    inverted: bool = False
    """16 bytes in the middle of the data; the hash stays that of the good ones."""
    cut_bytes: int = 0
    """How many of the last bytes of the data are missing."""
    wrong_hash: bool = False
    """Stream 1 only; stream 2 has no hash."""
    missing_part: bool = False
    """Stream 1: the last part; stream 2: the data of all channels."""
    extra_part: bool = False
    """One more part."""

    def blob(self, blob: bytes | memoryview) -> bytes | memoryview:
        """The data as they go out."""
        if self.inverted:
            turned = bytearray(blob)
            middle = len(turned) // 2
            turned[middle : middle + INVERTED_BYTES] = bytes(
                byte ^ 0xFF for byte in turned[middle : middle + INVERTED_BYTES]
            )
            blob = bytes(turned)
        return blob[: max(len(blob) - self.cut_bytes, 0)] if self.cut_bytes else blob


HONEST: Final = Spoiled()
