"""Dark rates in monitoring: measured shortly, watched against the windows for their temperature, drawn as trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fat.degg.analyses.dark_rate import DarkRate, Discriminator, dark_rate, judged, limits_at
from fat.degg.station.module import Module
from fat.degg.tasks.box import box_celsius
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from fat.degg.tasks.scaler import DEAD_CYCLES, count
from scheduler import TaskContext

PERIOD_MS: Final = 1000
PERIODS: Final = 3
"""Three seconds know a rate of 1500 Hz to 2 %."""


def rates_now(lab: Photomultipliers, pmts: Sequence[Pmt], *, use_fir: bool = True) -> dict[Pmt, DarkRate]:
    """Rates at 0.25 photoelectrons."""
    if not pmts:
        return {}
    counts = count(lab, pmts, PERIODS, PERIOD_MS, use_fir=use_fir)
    return {pmt: dark_rate(found, PERIOD_MS / 1e3, DEAD_CYCLES) for pmt, found in counts.items()}


def alarms(rates: Mapping[Pmt, DarkRate], celsius: float, *, use_fir: bool = True) -> list[str]:
    """Rates above the alarm of their window, a sentence for each."""
    by: Discriminator = "fir" if use_fir else "adc"
    _, most = limits_at(celsius, by)
    return [
        f"{pmt.name}: dark rate {rate.rate_hz:.0f} Hz at {celsius:.0f} C, more than {most:.0f} Hz"
        for pmt, rate in rates.items()
        if judged(rate.rate_hz, celsius, by) == "alarm"
    ]


def draw_trends(
    context: TaskContext,
    boards: Mapping[Module, float],
    rates: Mapping[Pmt, DarkRate],
    *,
    use_fir: bool = True,
) -> None:
    """Temperatures and rates for the live page."""
    at_ns, celsius = context.clock.now_ns(), box_celsius(context, boards)
    context.trend("box, by the mainboards", celsius, "C", group="temperature", at_ns=at_ns)
    for module, board in boards.items():
        context.trend(module.serial, board, "C", group="temperature", at_ns=at_ns)
    most = limits_at(celsius, "fir" if use_fir else "adc")[1]
    for pmt, rate in rates.items():
        name = f"{pmt.device.serial} {pmt.part}"
        context.trend(name, rate.rate_hz, "Hz", limits=(None, most), group="dark rate", at_ns=at_ns)
