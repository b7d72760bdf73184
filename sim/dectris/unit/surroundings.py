"""What the unit is built from: its behaviour, its configuration, and who makes its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Ring
from sim.dectris.keys import Value
from sim.dectris.refusal import Refused


class Configuration(Protocol):
    """The detector's configuration, as the unit uses it."""

    @property
    def values(self) -> Mapping[str, Value]:
        """Present values by key; arrays are not among them."""
        ...

    def write(self, name: str, value: object) -> list[str]:
        """Set a key and what follows from it; returns the changed keys. Raises Refused."""
        ...

    def write_array(self, name: str, array: NDArray[Any] | None) -> list[str]:
        """Set a flat field or mask, or restore the factory's; returns the changed keys. Raises Refused."""
        ...

    def note(self, name: str, value: Value) -> None:
        """Set a key that only the unit itself writes."""
        ...

    def reset(self) -> None:
        """Back to the defaults."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the images of a series will be, by the configuration at its arm."""

    ring: Ring
    pixel_mask: tuple[NDArray[np.uint32], ...]
    flatfield: tuple[NDArray[np.float32], ...]
    countrate_table: NDArray[np.float32]


Rendered: TypeAlias = Callable[[Pictures | Refused], None]
Render: TypeAlias = Callable[[Rendered], None]
"""Makes the pictures for the present configuration, and hands them over: at once, or later inside an advance.
Raises Refused when the configuration has none."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How this unit behaves, from its table."""

    seed: int
    serial: str
    epoch_unix_ns: int
    starts_idle: bool
    initialize_ns: int
    arm_ns: int
    has_high_voltage: bool = False
    """A CdTe sensor's bias voltage can be reset."""
