"""What starts a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sim.degg.refusal import Refused

TriggerKind = Literal["threshold", "software", "external", "fir", "dual", "dual_fir"]

FIR_TAPS: Final = 16
FIR_SCALE: Final = 16
"""The filter's output is this times the sum of coefficient x (sample - baseline): public code computes its threshold
as counts over baseline x sum of the coefficients x 16."""
DEFAULT_COEFFICIENTS: Final = (0,) * 10 + (1, 1) + (0,) * 4
MAX_SAMPLES: Final = 8192
PRE_STEP: Final = 8


def pre_samples_of(pre_config: int) -> int:
    """Samples before the trigger for the second number of `setDEggConstReadout`: 16 for 1, as the analysis expects.

    Gates of the public analysis: baseline in samples 0..9, charge from sample 13 on. Our choice beyond that: 8 more
    for each step.
    """
    return PRE_STEP * (1 + max(0, pre_config))


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of one channel and the record that it starts. Raises Refused for what cannot be.

    kind              `dual` and `dual_fir` are `threshold` and `fir` on both channels at once
    threshold_counts  threshold, dual: ADC counts, baseline included; fir, dual_fir: the filter's output, baseline
                      excluded (FIR_SCALE)
    samples           of a record; a multiple of 4
    pre_samples       of them before the trigger
    period_ms         of software triggers
    coefficients      of the filter, 16 numbers
    """

    kind: TriggerKind
    threshold_counts: int = 0
    samples: int = 128
    pre_samples: int = 16
    period_ms: float = 10.0
    coefficients: tuple[int, ...] = DEFAULT_COEFFICIENTS

    def __post_init__(self) -> None:
        if not 16 <= self.samples <= MAX_SAMPLES or self.samples % 4:
            raise Refused(f"number of samples must be 16..{MAX_SAMPLES}, a multiple of 4")
        if not 0 <= self.pre_samples < self.samples:
            raise Refused("more samples before the trigger than there are")
        if self.kind == "software" and not 0 < self.period_ms <= 1e6:
            raise Refused("period must be 1..1000000 ms")
        if len(self.coefficients) != FIR_TAPS or any(abs(c) >= 1 << 15 for c in self.coefficients):
            raise Refused("16 coefficients of 16 bits are needed")

    @property
    def filtered(self) -> bool:
        """Whether the filter decides."""
        return self.kind in ("fir", "dual_fir")

    @property
    def scheduled(self) -> bool:
        """Whether time decides and not the signal."""
        return self.kind in ("software", "external")
