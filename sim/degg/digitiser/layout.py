"""How a record is made: an int64 array, and what its entries may be."""

from __future__ import annotations

from typing import Final

MODE, SAMPLES, PRE, TAPS, CHANNEL, WINDOW, FROM, TO, TICK = range(9)
RECORD: Final = 9
# MODE
BY_LEVEL, BY_FILTER, BY_TIME, FREE = range(4)
# WINDOW
AROUND_PEAK, FIXED = range(2)
# Why `acquire` returned
FULL, SEGMENT_ENDS, TOO_LATE = range(3)

SCAN: Final = 48
"""Samples in which a pulse may cross its threshold: all of the pulse and of one that lies on its tail."""
BESIDE: Final = 32
"""Room before and behind a signal, and samples of a pulse's shape, whose last ones are zero: a power of two is added up
in vectors."""
CHUNK: Final = 24_000.0
"""Ticks, 0.1 ms."""
HEADER: Final = 19
"""Words before the samples: u32 word count and the 17 of record 0x82; 2 follow them."""
SATURATION_STEP: Final = 32.0
LINEAR: Final = 64.0
"""Below so many counts saturation changes nothing (1e-4 of a count)."""
PATTERN_BITS: Final = 8
TOP: Final = 16383
