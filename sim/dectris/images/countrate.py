"""Counts that are lost in dead time, and the table that gives them back.

The counter is paralysable: of n photons that meet a pixel during an exposure, n · exp(−n · dead_share) are counted;
dead_share is dead time / count time. Up to n = 0.5 / dead_share this can be inverted well; there the unit's correction
ends, and that count is its cutoff. With a dead time of 100 ns, the cutoff lies at 5 million counts per second, which is
what an EIGER2 16M told (21517 counts in 4.3 ms; stream-2 messages published with tickit-devices).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Layout

DEAD_TIME_S: Final = 1e-7
ENTRIES: Final = 1000
"""Columns of the table that header detail `all` carries."""
_USABLE: Final = 0.5
"""n · dead_share at which the correction ends."""


def counter_limit(layout: Layout) -> int:
    """Highest count of a pixel that is not masked: one below the type's highest value, which means masked."""
    return (1 << layout.bit_depth) - 2


def cutoff(layout: Layout) -> int:
    """Highest count that the countrate correction gives (`countrate_correction_count_cutoff`)."""
    limit = counter_limit(layout)
    return min(limit, round(_USABLE / layout.dead_share)) if layout.dead_share > 0 else limit


def table(layout: Layout) -> NDArray[np.float32]:
    """(2, 1000): raw counts at equal distances from 0, and the counts that they stand for."""
    top = float(cutoff(layout))
    if layout.dead_share <= 0:
        counts = np.linspace(0, top, ENTRIES, dtype=np.float32)
        return np.stack([counts, counts])
    raw = np.linspace(0, top * np.exp(-top * layout.dead_share), ENTRIES)
    true = raw.copy()
    # Newton's method on n exp(-n d) = raw; within the usable part it doubles the digits at each step.
    for _ in range(12):
        loss = np.exp(-true * layout.dead_share)
        true -= (true * loss - raw) / (loss * (1 - true * layout.dead_share))
    return np.stack([raw, true]).astype(np.float32)
