"""Bytes of charge stamps and waveform records (peripherals.md; public decoders `mDOMChargeStamp`, `test_waveform`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.layout import HEADER
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
    records = np.zeros(ticks.size, STAMP)
    records["version"] = DEGG_FLAG | (((ticks >> 48) & 3) << 6)
    records["channel"] = channel
    records["time_low"] = ticks & 0xFFFFFFFF
    records["time_high"] = (ticks >> 32) & 0xFFFF
    records["charge"] = counts * COULOMB_PER_COUNT_SAMPLE
    return records.tobytes()


def words_of_record(samples: int) -> int:
    """16-bit words of a record with its word count."""
    return samples + HEADER + 2


def bytes_of_record(samples: int) -> int:
    """Bytes of a record with its word count."""
    return 2 * words_of_record(samples)
