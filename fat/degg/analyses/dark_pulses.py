"""From waveforms to pulses: charge and height over the baseline (fat.md section 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.units import PC_PER_COUNT_SAMPLE

QUIET: Final = 10
"""Samples at the beginning of a waveform in which no pulse can be yet."""
GATE_FROM: Final = 13
GATE: Final = 16
"""The charge is the sum of so many samples from that one on."""


@dataclass(frozen=True, slots=True)
class Pulses:
    """What n waveforms hold."""

    charge_pc: NDArray[np.float64]
    """(n) picocoulomb."""
    height: NDArray[np.float64]
    """(n) counts over the baseline, of the highest sample in the gate."""
    baseline: float
    """Counts."""
    noise: float
    """Standard deviation of a quiet sample, counts."""


def pulses_of(samples: NDArray[Any]) -> Pulses:
    """Charges and heights of waveforms (n, s), s >= 29, in ADC counts. Raises ValueError for shorter ones.

    The baseline is one number for all of them. The ten quiet samples of a single waveform would add 16 x noise / 3 to
    its charge: twice what the gate itself adds.
    """
    if samples.ndim != 2 or samples.shape[1] < GATE_FROM + GATE:
        raise ValueError(f"waveforms of {GATE_FROM + GATE} samples or more are needed, not {samples.shape}")
    if not len(samples):
        return Pulses(np.zeros(0), np.zeros(0), float("nan"), float("nan"))
    baseline, noise = quiet_level(samples[:, :QUIET])
    gate = samples[:, GATE_FROM : GATE_FROM + GATE]
    counts = gate.sum(axis=1, dtype=np.int64) - GATE * baseline
    return Pulses(counts * PC_PER_COUNT_SAMPLE, gate.max(axis=1) - baseline, baseline, noise)


def quiet_level(samples: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation of samples (n, s) without those waveforms that are not quiet."""
    means = samples.mean(axis=1)
    centre = float(np.median(means))
    # 1.4826 x the median deviation is sigma of a normal distribution; waveforms beyond four of it hold a pulse.
    spread = 1.4826 * float(np.median(np.abs(means - centre)))
    quiet = samples[np.abs(means - centre) <= 4.0 * max(spread, 0.1)]
    return float(quiet.mean()), float(quiet.std())
