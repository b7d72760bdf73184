"""What a fault does to one image message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INVERTED_BYTES: Final = 16
BLOCK_LENGTH_AT: Final = 12
"""Where the first block's length stands, behind the total and the block size (bslz4, and lz4 framed as in HDF5)."""
EXTRA_PART: Final = b"nobody expects this part"


@dataclass(frozen=True, slots=True)
class Spoiled:
    """How one image message lies. As it is made, it lies not at all."""

    series_offset: int = 0
    """Added to the series number."""
    size_error: int = 0
    """Stream 1: added to the told bytes of the data; stream 2: to the told height."""
    inverted: bool = False
    """16 bytes of the data. Stream 1: in the middle, and the hash stays that of the good ones.

    Stream 2, which has no hash: where a compressed image tells the length of its first block, so that no decoder takes
    it for good.
    """
    cut_bytes: int = 0
    """How many of the last bytes of the data are missing."""
    wrong_hash: bool = False
    """Stream 1: the digits in reverse; stream 2 has no hash."""
    missing_part: bool = False
    """Stream 1: the last part; stream 2: the data of all channels."""
    extra_part: bool = False
    """More parts than any image message has: stream 1 six, stream 2 two."""

    def blob(self, blob: bytes | memoryview, *, hashed: bool) -> bytes | memoryview:
        """The data as they go out; *hashed* in a message that carries their hash."""
        if self.inverted:
            place = slice(start := len(blob) // 2 if hashed else BLOCK_LENGTH_AT, start + INVERTED_BYTES)
            turned = bytearray(blob)
            turned[place] = bytes(byte ^ 0xFF for byte in turned[place])
            blob = bytes(turned)
        return blob[: max(len(blob) - self.cut_bytes, 0)] if self.cut_bytes else blob


HONEST: Final = Spoiled()
