"""The dummy readout of a DSSC: a test picture that its boards send instead of what the sensor saw.

Values of an ASIC: Heidelberg DSSC software. That columns run along the fast scan and all ASICs lie the same way is our
choice, and so are the low 8 bits where the detector sends 8: there 256 arrives as 0, as it does in a picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

ASIC: Final = 64
"""Rows and columns of an ASIC."""


def dummy_readout(eight_bit: bool = False) -> NDArray[np.uint16]:
    """The picture of a module, (128, 512) u2: in each ASIC (33 − c if c < 32 else c + 2) + 64 r, modulo 512."""
    row, column = np.mgrid[:ASIC, :ASIC]
    asic = (np.where(column < 32, 33 - column, column + 2) + 64 * row) % (256 if eight_bit else 512)
    return np.tile(asic, (2, 8)).astype(np.uint16)
