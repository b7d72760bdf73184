"""Bytes of charge stamps and waveform records (peripherals.md; public decoders `mDOMChargeStamp`, `test_waveform`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.layout import HEADER
from sim.degg.digitiser.recording.kernels import write_stamps
from sim.degg.photomultiplier.pulse import COULOMB_PER_COUNT_SAMPLE

STAMP: Final = np.dtype(
    [
        ("version", "u1"),
        ("channel", "u1"),
        ("discriminator", "<u2"),
        ("time_low", "<u4"),
        ("time_high", "<u2"),
        ("charge", "<f4"),
    ]
)
"""14 bytes. Version: low nibble 0, 0x10 for D-Egg, bits 7 and 6 are bits 49 and 48 of the time. Channel: flags in
the three top bits, 0 here. Discriminator: 0, the D-Egg has none finer than its clock."""
STAMP_BYTES: Final = STAMP.itemsize
DEGG_FLAG: Final = 0x10


def stamps(channel: int, ticks: NDArray[np.int64], counts: NDArray[np.float64]) -> bytes:
    """Charge stamps of one channel.

    ticks   (n) of the trigger
    counts  (n) sums over the baseline, counts
    """
    words = np.empty((ticks.size, STAMP_BYTES // 2), np.uint16)
    charges = (counts * COULOMB_PER_COUNT_SAMPLE).astype(np.float32)
    write_stamps(DEGG_FLAG | channel << 8, ticks, charges.view(np.uint32), words)
    return words.astype("<u2", copy=False).tobytes()


def words_of_record(samples: int) -> int:
    """16-bit words of a record with its word count."""
    return samples + HEADER + 2


def bytes_of_record(samples: int) -> int:
    """Bytes of a record with its word count."""
    return 2 * words_of_record(samples)
