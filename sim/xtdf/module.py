"""What the sender needs of a simulated module, whatever detector it belongs to."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.forward import GainMode
from sim.xtdf.illumination import Illumination
from sim.xtdf.layout import WireFormat


class ModuleModel(Protocol):
    """Makes what one module reads out. The same train id gives the same bytes, whatever was made before."""

    channel: int
    """Module number, 0 … modules-1."""
    wire: WireFormat

    @property
    def serial(self) -> str:
        """Physical name of the module, by which the catalogue knows it."""
        ...

    def make_images(
        self,
        out: NDArray[np.uint16],
        train_id: int,
        gain_mode: GainMode,
        illumination: Illumination,
    ) -> None:
        """Fill *out*, (frames, u16 values of one image), with all images of a train."""
        ...

    def detector_section(self, train_id: int) -> bytes:
        """The detector-specific section of a train, `wire.detector_bytes` bytes."""
        ...
