"""The digitiser of a module by its console: waveforms, charge stamps, baselines, scalers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fat.degg.station.acquisition import (
    LONGEST_S,
    PATIENCE_S,
    Trigger,
    Wanted,
    Window,
    arm_words,
    shape_words,
    take_stamps,
    take_waveforms,
)
from fat.degg.station.board import Board
from fat.degg.station.errors import AnswerMalformed
from fat.degg.station.records import ChargeStamps, Waveforms

CHANNELS: Final = (0, 1)


class EventWords(Board):
    """Events of both photomultipliers. Errors as those of Module."""

    def waveforms(
        self,
        n: int,
        *,
        thresholds: Mapping[int, int] | Sequence[int],
        channels: Sequence[int] = CHANNELS,
        samples: int = 128,
        trigger: Trigger = "threshold",
        pre: int = 1,
        patience_s: float = PATIENCE_S,
        longest_s: float = LONGEST_S,
    ) -> dict[int, Waveforms]:
        """*n* waveforms of each channel, or fewer where no more came (dead fibre, no light): look at the length.

        thresholds  by channel, or one for each of *channels*: ADC counts, baseline included; trigger `fir`: the
                    filter's output (`fir_threshold`); `software`: the period in ms; `external`: passed over
        """
        wanted = Wanted(n, _by_channel(thresholds, channels), trigger, samples, pre, patience_s, longest_s)
        return take_waveforms(self.console, wanted)

    def charge_stamps(
        self,
        n: int,
        *,
        thresholds: Mapping[int, int] | Sequence[int],
        channels: Sequence[int] = CHANNELS,
        trigger: Trigger = "threshold",
        window: Window = Window(),  # noqa: B008  # frozen
        samples: int = 128,
        pre: int = 1,
        patience_s: float = PATIENCE_S,
        longest_s: float = LONGEST_S,
    ) -> dict[int, ChargeStamps]:
        """*n* charge stamps of each channel, or fewer where no more came; arguments as those of `waveforms`."""
        wanted = Wanted(n, _by_channel(thresholds, channels), trigger, samples, pre, patience_s, longest_s)
        return take_stamps(self.console, wanted, window)

    def baseline(self, channel: int, n: int = 20) -> float:
        """The baseline, ADC counts: mean of *n* waveforms by software trigger, without the pulses in them."""
        counts = self.waveforms(n, channels=(channel,), thresholds=(1,), trigger="software")[channel].samples
        if not counts.size:
            raise AnswerMalformed(self.name, "readDEggWfmBlock", "has no waveform by software trigger")
        middle = float(np.median(counts))
        noise = max(2.0, 1.4826 * float(np.median(np.abs(counts - middle))))
        return float(counts[np.abs(counts - middle) <= 4 * noise].mean())

    def start_scalers(
        self,
        thresholds: Mapping[int, int],
        *,
        period_us: int = 100_000,
        dead_cycles: int = 24,
        trigger: Trigger = "fir",
    ) -> None:
        """Begin to count. `scaler_counts` gives counts of the last full period, so a period has to pass before each.

        thresholds   by channel, as in `waveforms`
        dead_cycles  of 240 MHz, after each count
        """
        wanted = Wanted(1, thresholds, trigger)
        counting = (f"{channel} {period_us} {dead_cycles} enableScalers" for channel in wanted.channels)
        self.console.do(*shape_words(wanted), *arm_words(wanted), *counting)

    def scaler_counts(self, channels: Sequence[int] = CHANNELS) -> list[int]:
        """Counts of the last full period, one for each channel, in one exchange."""
        return self.console.numbers(" ".join(f"{ch} getScalerCount" for ch in channels), len(channels))

    def stop_triggers(self, channels: Sequence[int] = CHANNELS) -> None:
        """Disarm: nothing is recorded or counted any more."""
        self.console.do(*(f"{ch} disableDEggTriggers" for ch in channels))


def _by_channel(thresholds: Mapping[int, int] | Sequence[int], channels: Sequence[int]) -> dict[int, int]:
    if isinstance(thresholds, Mapping):
        return {ch: int(thresholds[ch]) for ch in channels}
    return {ch: int(value) for ch, value in zip(channels, thresholds, strict=True)}
