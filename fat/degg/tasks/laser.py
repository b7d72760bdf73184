"""What measurements with the laser share: its trigger, the check of its light, thresholds, bench time.

The laser is theirs: its trigger goes off at their end, however they end. High voltage stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any, Final

from fat.degg.analyses.visibility import good_gaps
from fat.degg.station import Module, StationError
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt

CHANNELS: Final = (0, 1)
LASER_HZ: Final = 100.0
SYNC_THRESHOLD: Final = 1000
"""Counts over the tabletop's baseline; its sync pulse has 4000."""
SYNCS: Final = 50
WINDOW: Final = 0.05
"""Periods of the sync may differ by this share."""
PATIENCE_S: Final = 3.5
"""How much longer than they take sync pulses are waited for."""
TRIES: Final = 2
"""One retry is normal (check-list of the shifter)."""


class LightMissing(StationError):
    """The laser does not do what it was told."""

    def __init__(self, good: int, asked: int, hertz: float) -> None:
        super().__init__(
            f"the tabletop mainboard saw {good} of {asked - 1} sync pulses in the period of {hertz:g} Hz: check "
            "the function generator, the laser's supply (12 V, on) and the sync cable, then resume"
        )


def bring_up(lab: Photomultipliers, task: str, dac: int | None = None) -> dict[Module, dict[int, float]]:
    """High voltage of a gain of 1e7 at all photomultipliers; their baselines, counts, by module and channel.

    task  for warnings about high voltage that does not hold
    dac   of the baselines; None: that of the papers
    """
    after = lab.ensure_on()
    off = [
        f"{pmt.name}: its high voltage reads {read.mean:.0f} V" for pmt, read in after.items() if not read.on
    ]
    lab.warn(task, off)

    def settle(module: Module, pmts: Sequence[Pmt]) -> dict[Pmt, float]:
        for pmt in pmts:
            module.set_dac(pmt.channel, own_dac(pmt) if dac is None else dac)
        return {pmt: module.baseline(pmt.channel) for pmt in pmts}

    found: dict[Module, dict[int, float]] = {}
    for pmt, baseline in lab.each(lab.all, settle).items():
        found.setdefault(pmt.module, {})[pmt.channel] = baseline
    return found


def restore_baselines(lab: Photomultipliers) -> None:
    """Baselines where the papers have them."""

    def settle(module: Module, pmts: Sequence[Pmt]) -> dict[Pmt, None]:
        for pmt in pmts:
            module.set_dac(pmt.channel, own_dac(pmt))
        return dict.fromkeys(pmts)

    lab.each(lab.all, settle)


def own_dac(pmt: Pmt) -> int:
    """The baseline's setting in the papers."""
    return int(pmt.device.constants.get("DacValue", 30_000))


@contextmanager
def laser_on(lab: Photomultipliers, hertz: float = LASER_HZ) -> Iterator[None]:
    """The laser's trigger on, and seen; off at the end. Raises LightMissing."""
    lab.station.generator.pulses(hertz)
    try:
        check_light(lab, hertz)
        yield
    finally:
        lab.station.generator.off()


def check_light(lab: Photomultipliers, hertz: float) -> None:
    """See that the laser's sync comes in its period. Raises LightMissing after a retry."""
    good = 0
    for _ in range(TRIES):
        good = _good_syncs(lab, hertz)
        if good >= SYNCS - 2:
            return
        lab.station.wait(1.0)
    raise LightMissing(good, SYNCS, hertz)


def _good_syncs(lab: Photomultipliers, hertz: float) -> int:
    threshold = sync_threshold(lab.station.tabletop)
    found = lab.station.tabletop.charge_stamps(
        SYNCS, channels=(0,), thresholds=(threshold,), patience_s=PATIENCE_S + SYNCS / hertz
    )[0]
    lab.station.spend(found.span_s)
    period = 1.0 / hertz
    return good_gaps(found.ticks, period * (1.0 - WINDOW), period * (1.0 + WINDOW))


def sync_threshold(tabletop: Module) -> int:
    """Counts at which the tabletop mainboard's channel 0 triggers on the laser's sync."""
    return ceil(tabletop.baseline(0)) + SYNC_THRESHOLD


def longest_span(found: Mapping[Module, Mapping[int, Any]]) -> float:
    """Seconds that acquisitions span: what the bench's clock is to be given."""
    return max(
        (events.span_s for by_channel in found.values() for events in by_channel.values()), default=0.0
    )


def counts_over(baselines: Mapping[int, float], counts: float) -> dict[int, int]:
    """Thresholds so many counts over the baselines, by channel."""
    return {channel: ceil(baseline + counts) for channel, baseline in baselines.items()}


def told(pmt: Pmt, celsius: float | None, task: str, **more: Any) -> dict[str, Any]:
    """What a file says of its photomultiplier."""
    return {
        "device": pmt.device.serial,
        "part": pmt.part,
        "pmt": pmt.entry.serial,
        "channel": pmt.channel,
        "port": pmt.device.port,
        "hv": pmt.entry.hv,
        "temperature_c": celsius,
        "task": task,
        **more,
    }
