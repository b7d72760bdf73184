"""How much room the engine takes, and how many hands."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from pipeline.errors import SettingRejected

MAX_SLAB_BYTES: Final = 1 << 34
"""Most memory that the slots may take together."""
MAX_STACK: Final = 1 << 16
"""Frames of one slot; sums of 16 bit over so many still fit 32 bit."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The words are those of LiberTEM-live. Raises SettingRejected."""

    num_slots: int = 32
    """Slots of the slab; when all are in work, the receiver stops reading."""
    bytes_per_frame: int = 64 * 1024
    """Expected size of one compressed frame, all its channels together."""
    frame_stack_size: int = 64
    """Frames that are handed to a worker together. A slot holds frame_stack_size × bytes_per_frame bytes."""
    workers: int = 1
    """Threads that decode and reduce."""
    receive_queue: int = 4096
    """ZeroMQ's receive high water mark, messages; of the connection, so it cannot change between series."""
    hash_share: float = 0.1
    """Share of one core that may go into checking the frames' MD5; what is left out is counted. 0 checks none."""
    flush_s: float = 0.1
    """Longest time that a frame waits for its slot to fill."""

    def __post_init__(self) -> None:
        for name in ("num_slots", "bytes_per_frame", "frame_stack_size", "workers", "receive_queue"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SettingRejected(name, value, "a whole number from 1 on")
        if self.frame_stack_size > MAX_STACK:
            raise SettingRejected("frame_stack_size", self.frame_stack_size, f"at most {MAX_STACK}")
        if self.num_slots < 2:
            raise SettingRejected(
                "num_slots", self.num_slots, "at least 2: one fills while another is reduced"
            )
        if self.slab_bytes > MAX_SLAB_BYTES:
            raise SettingRejected(
                "num_slots × frame_stack_size × bytes_per_frame",
                self.slab_bytes,
                f"at most {MAX_SLAB_BYTES} bytes",
            )
        if not 0 <= self.hash_share <= 1:
            raise SettingRejected("hash_share", self.hash_share, "a share from 0 to 1")
        if not 0 < self.flush_s <= 1:
            raise SettingRejected("flush_s", self.flush_s, "a time above 0, at most 1 s")

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot."""
        return self.frame_stack_size * self.bytes_per_frame

    @property
    def slab_bytes(self) -> int:
        """Bytes of all slots."""
        return self.num_slots * self.slot_bytes


SETTING_NAMES: Final = tuple(field.name for field in fields(Settings))
