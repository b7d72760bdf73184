"""Self-tests of the two channels of the digitiser."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from fat.degg.self_tests.subject import Finding, Subject
from fat.degg.station.board import BASELINE_DAC

PATTERNS: Final = (0x55, 0xAA, 0x0F, 0xF0)
PATTERN_REGISTER: Final = 0x3F
"""Of the fast ADC: a pattern of its own to send, which nothing else uses."""
BASELINES: Final = 5
BASELINE_COUNTS: Final = (7600.0, 8400.0)
"""At DAC 30000."""
DRIFT_COUNTS: Final = 2.0
NOISE_COUNTS: Final = 5.0
SCAN: Final = (10_000, 20_000, 30_000, 40_000, 50_000)
STRAIGHT_COUNTS: Final = 8.0
"""So far a baseline may be off the line through all."""
LEAST_SLOPE: Final = 0.05
"""Counts for each step of the DAC."""
SCALER_COUNTS: Final = (12, 20, 40, 200)
"""Thresholds over the baseline, ascending."""
SCALER_PERIOD_US: Final = 100_000
SIGNIFICANT: Final = 5.0


def adc_comms(channel: int, subject: Subject) -> Finding:
    """Registers of the fast ADC keep what is written, and forget it at a reset."""
    console, found = subject.module.console, Finding()
    console.do(f"{channel} resetADS4149")
    for pattern in PATTERNS:
        console.do(f"{channel} {PATTERN_REGISTER} {pattern} writeADS4149")
        read = console.number(f"{channel} {PATTERN_REGISTER} readADS4149")
        found.demand(read == pattern, f"{read:#x} was read for {pattern:#x}")
    console.do(f"{channel} resetADS4149")
    left = console.number(f"{channel} {PATTERN_REGISTER} readADS4149")
    found.values |= {"patterns": len(PATTERNS), "after_reset": left}
    found.demand(left == 0, f"{left:#x} is left after a reset")
    return found


def baseline_stability(channel: int, subject: Subject) -> Finding:
    """The baseline stays, where it should be, with little noise."""
    module, found = subject.module, Finding()
    module.set_dac(channel, BASELINE_DAC)
    taken = [
        module.waveforms(20, channels=(channel,), thresholds=(1,), trigger="software")[channel].samples
        for _ in range(BASELINES)
    ]
    levels = [float(np.median(samples.mean(axis=1))) for samples in taken if samples.size]
    found.demand(len(levels) == BASELINES, "waveforms by software trigger are missing")
    if levels:
        # Half of the samples lie within 0.6745 standard deviations; pulses of photoelectrons do not matter so.
        spread = np.percentile(np.concatenate(taken).astype(np.float64), (25, 75))
        found.demand_within("baseline", float(np.mean(levels)), *BASELINE_COUNTS, "counts")
        found.demand_within("drift", max(levels) - min(levels), 0.0, DRIFT_COUNTS, "counts")
        found.demand_within("noise", float(np.ptp(spread)) / 1.349, 0.2, NOISE_COUNTS, "counts")
    return found


def dac_scan(channel: int, subject: Subject) -> Finding:
    """The baseline follows its DAC along a straight line."""
    module, found = subject.module, Finding()
    try:
        levels = []
        for value in SCAN:
            module.set_dac(channel, value)
            levels.append(module.baseline(channel, 10))
    finally:
        module.set_dac(channel, BASELINE_DAC)
    slope, offset = np.polyfit(SCAN, levels, 1)
    away = float(np.abs(np.polyval((slope, offset), SCAN) - levels).max())
    found.values["levels"] = [round(level, 2) for level in levels]
    found.demand_within("slope", float(slope), LEAST_SLOPE, 1.0, "counts for each step")
    found.demand_within("off the line", away, 0.0, STRAIGHT_COUNTS, "counts")
    return found


def scaler_scan(counts: list[int]) -> Finding:
    """A scaler counts less the higher its threshold is.

    counts  of a period at each of SCALER_COUNTS
    """
    found = Finding({"thresholds": list(SCALER_COUNTS), "counts": counts})
    for low, high in pairwise(counts):
        allowed = low + SIGNIFICANT * (max(1, low) ** 0.5)
        found.demand(high <= allowed, f"{high} counts at a higher threshold than {low}")
    most = SCALER_PERIOD_US * 1e-6 * 1e6
    found.demand(counts[0] <= most, f"{counts[0]} counts in a period are noise")
    return found
