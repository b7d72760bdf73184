"""What a missed goalpost most likely means, in the words of those who would repair it. Pure."""

from __future__ import annotations

from typing import Final

FAULTS: Final = {
    "hv-at-1e7-gain": "no working point within the base's reach",
    "average-darknoise-at-freezing-temp": "high dark rate",
    "average-darknoise-at-freezing-temp-red": "very high dark rate",
    "average-darknoise-at-20-freezing-temp": "high dark rate",
    "darknoise-alarm-cool": "high dark rate",
    "darknoise-alarm-warm": "high dark rate",
    "allowed-high-dark-rate": "high dark rate",
    "average-laser-output-range": "unsteady light",
    "linearity-charge-ratio-at-200pe": "saturates early",
    "linearity-current-ratio-at-10mA": "saturates early",
    "spe-time-resolution": "spread of transit times",
    "pmt-timing-resolution": "spread of transit times",
    "pmt-timing-resolution-chi2": "transit times are not Gaussian",
    "double-pulse-separation": "two pulses are not told apart",
    "double-pulse-peak-to-valley1": "two pulses are not told apart",
    "double-pulse-peak-to-valley2": "two pulses are not told apart",
    "number-of-flasher-leds-working": "dead LED",
    "monitoring-spe-peak-pos-std": "unsteady gain",
    "monitoring-spe-peak-pos-std-red": "very unsteady gain",
    "monitoring-high-voltage": "high voltage off or tripped",
    "monitoring-high-voltage-spread": "noisy high voltage",
    "monitoring-high-voltage-problems": "noisy high voltage",
    "monitoring-bad-fits": "no peak of single photoelectrons",
    "camera-darkrate": "camera's pedestal",
    "camera-pattern-test": "camera does not see its light",
    "successive-warm-reboot-failures": "does not come back after a power cycle",
    "communication-test-cold-reboot": "does not start in the cold",
    "number-of-failed-self-tests": "a self-test of the mainboard fails",
}
BY_LASER: Final = frozenset(
    {
        "average-laser-output-range",
        "linearity-charge-ratio-at-200pe",
        "linearity-current-ratio-at-10mA",
        "spe-time-resolution",
        "pmt-timing-resolution",
        "pmt-timing-resolution-chi2",
        "double-pulse-separation",
        "double-pulse-peak-to-valley1",
        "double-pulse-peak-to-valley2",
    }
)
"""Measured by the laser's light: without a number there was none."""


def fault_of(goalpost: str, value: float | None) -> str:
    """The name of what is wrong; the goalpost's own where there is none.

    value  what was measured; None where no number came of it
    """
    if value is None and goalpost in BY_LASER:
        return "does not see the laser: dead fibre?"
    return FAULTS.get(goalpost, goalpost)
