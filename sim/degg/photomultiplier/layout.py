"""How the arrays that kernels share are laid out. Times are clock ticks (1 / 240 MHz) after the caller's origin.

These figures are built into compiled code, which is kept until its own file changes: whoever changes one here touches
the modules called `kernels`.
"""

from __future__ import annotations

from typing import Final

# The channel's state, float64, ticks: everything before FILLED is made; a record may begin at LIVE
FILLED, LIVE, NEXT_DARK, NEXT_NOISE, LIMIT = range(5)
STATE: Final = 5
# The channel's state, int64: how many photoelectrons and correlated pulses wait; the next trigger by time
PENDING, CHILDREN, DUE = range(3)
COUNTS: Final = 3
# What holds for a segment, float64
UNTIL, GAIN, DARK_GAP, NOISE_GAP, NOISE_LEAST, NOISE_SCALE = range(6)
WIDTH, TAIL, TWO, TAIL_SCALE, PARENT = range(6, 11)
CHILD_MEDIAN, CHILD_SIGMA, CHILD_LEAST, CHILD_MOST, LATE, LATE_MEAN = range(11, 17)
BASELINE, NOISE, THRESHOLD, PATIENCE, REARM, DUE_FIRST, DUE_PERIOD = range(17, 24)
SEGMENT: Final = 24
# A source of light, float64: a row of (sources, SOURCE)
FIRST, PERIOD, PULSES, SPACING, MU, DELAY, COMMON, EACH, NEXT, PLAIN = range(10)
SOURCE: Final = 10

MOST_PENDING: Final = 1 << 16
MOST_CHILDREN: Final = 64
ONE_BY_ONE: Final = 128
"""Above so many photoelectrons of a pulse they come in GROUPS groups."""
GROUPS: Final = 128
SHAPE_PHASES: Final = 64
SHAPE_BEFORE: Final = 4
SHAPE_LENGTH: Final = 24
