"""The splitter: which frames of a train and which trains go on to the correction."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.daq.rates import Rate
from pipeline.errors import SettingRejected
from pipeline.model import ModuleTrain

MAX_FRAMES: Final = 2700
HALF_SPLIT: Final = 64
"""Trains of which modules may still come when a setting changes; ids further back began anew."""
STALE_S: Final = 10.0
"""What modules sent longer ago says nothing about the present."""
_RANGE: Final = re.compile(r"range\(([^()]*)\)")
_EXAMPLES: Final = (
    "a list of frame indices such as 0,2,4, or range(stop), range(start,stop), range(start,stop,step)"
)


@dataclass(frozen=True, slots=True)
class PulseFilter:
    """Frames by their index in the train (not by pulse id)."""

    text: str
    frames: range | tuple[int, ...] | None
    """None lets all pass."""

    @classmethod
    def parse(cls, text: str) -> PulseFilter:
        """Read an expression; "" lets all frames pass. Raises SettingRejected."""
        words = text.strip()
        if not words:
            return cls("", None)
        if len(words) > 4096:
            raise SettingRejected("pulse_filter", f"{words[:40]}…", "shorter than 4096 characters")
        inside = _RANGE.fullmatch(words)
        numbers = [_number(word, text) for word in (inside[1] if inside else words).split(",")]
        if inside is None:
            if len(set(numbers)) != len(numbers) or sorted(numbers) != numbers:
                raise SettingRejected("pulse_filter", text, "a list of increasing frame indices")
            return cls(words, _as_range(numbers))
        if len(numbers) > 3 or (len(numbers) == 3 and numbers[2] == 0):
            raise SettingRejected("pulse_filter", text, _EXAMPLES)
        frames = range(*numbers)
        if len(frames) == 0:
            raise SettingRejected("pulse_filter", text, "a range that holds at least one frame")
        return cls(words, frames)

    def within(self, count: int) -> slice | list[int]:
        """The chosen frames among *count*: a slice where they are evenly spaced, so that views suffice."""
        if self.frames is None:
            return slice(0, count)
        if isinstance(self.frames, range):
            return slice(self.frames.start, min(self.frames.stop, count), self.frames.step)
        return [frame for frame in self.frames if frame < count]

    def beyond(self, count: int) -> bool:
        """Whether the filter names frames that a train of *count* frames does not have."""
        return self.frames is not None and self.frames[-1] >= count


def _number(word: str, text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,4}\s*", word) or int(word) > MAX_FRAMES:
        raise SettingRejected("pulse_filter", text, _EXAMPLES)
    return int(word)


def _as_range(numbers: list[int]) -> range | tuple[int, ...]:
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    if len(steps) > 1:
        return tuple(numbers)
    step = steps.pop() if steps else 1
    return range(numbers[0], numbers[-1] + 1, step)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the splitter lets through; one for all modules of a train."""

    pulse_filter: PulseFilter
    every_nth_train: int


@dataclass(slots=True)
class _Seen:
    """The latest train of one module."""

    frames: int
    highest_cell: int
    at_s: float


class Splitter:
    """Let every nth train pass, by its id so that all modules agree, and of it the chosen frames.

    A changed setting holds from the next train on: the modules of a train that has begun are split like its first.

    acquisition_rate_mhz  what the operating conditions say, where they do: `status` compares

    Evenly spaced frames are views of the train that came in; an uneven list copies the chosen frames.
    """

    def __init__(
        self,
        memory_cells: int,
        pulse_filter: str = "",
        every_nth_train: int = 1,
        acquisition_rate_mhz: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory_cells, self._rate_mhz, self._now = memory_cells, acquisition_rate_mhz, now
        self._setting = _Setting(PulseFilter.parse(pulse_filter), every_nth_train)
        self._setting_before, self._first_train = self._setting, 0
        self._highest = 0
        self._seen: dict[int, _Seen] = {}
        self._pulse_step = 0
        self.enabled = True
        self.images: Final[defaultdict[int, Rate]] = defaultdict(Rate)
        """Images that came, by module."""
        self.counters: Final[Counter[str]] = Counter()

    @property
    def pulse_filter(self) -> str:
        """The expression in use."""
        return self._setting.pulse_filter.text

    @pulse_filter.setter
    def pulse_filter(self, text: str) -> None:
        self._change(replace(self._setting, pulse_filter=PulseFilter.parse(text)))

    @property
    def every_nth_train(self) -> int:
        """Trains whose id is a multiple of this go on."""
        return self._setting.every_nth_train

    @every_nth_train.setter
    def every_nth_train(self, value: int) -> None:
        if value < 1:
            raise SettingRejected("every_nth_train", value, "at least 1")
        self._change(replace(self._setting, every_nth_train=value))

    def _change(self, setting: _Setting) -> None:
        if self._first_train <= self._highest:  # else a change follows another within one train
            self._setting_before = self._setting
        self._setting, self._first_train = setting, self._highest + 1

    def _setting_of(self, train_id: int) -> _Setting:
        has_begun = self._first_train - HALF_SPLIT < train_id < self._first_train
        return self._setting_before if has_begun else self._setting

    @property
    def frames_passed(self) -> int:
        """Frames of the fullest train that go on."""
        frames = max((seen.frames for seen in self._seen.values()), default=self._memory_cells)
        chosen = self._setting.pulse_filter.within(frames)
        return len(chosen) if isinstance(chosen, list) else len(range(frames)[chosen])

    def wants(self, train: ModuleTrain) -> bool:
        """Whether a train is one of those that go on."""
        return self.enabled and train.train_id % self._setting_of(train.train_id).every_nth_train == 0

    def split(self, train: ModuleTrain) -> ModuleTrain | None:
        """The part of the train that goes on, with the same `release`; None when nothing does, then it is released."""
        self._look(train)
        setting = self._setting_of(train.train_id)
        if not self.enabled or train.train_id % setting.every_nth_train:
            self.counters["trains_skipped" if self.enabled else "trains_output_off"] += 1
            train.release()
            return None
        chosen = setting.pulse_filter.within(len(train.data))
        part = train.data[chosen]
        if len(part) == 0:
            self.counters["trains_empty"] += 1
            train.release()
            return None
        self.counters["trains_passed"] += 1
        if setting.pulse_filter.frames is None:
            return train
        return replace(
            train,
            data=part,
            cell_id=train.cell_id[chosen],
            pulse_id=train.pulse_id[chosen],
            status=train.status[chosen],
            length=train.length[chosen],
        )

    def _look(self, train: ModuleTrain) -> None:
        frames = len(train.data)
        self._highest = max(self._highest, train.train_id)
        self.images[train.module].add(frames)
        highest_cell = int(train.cell_id.max()) if frames else -1
        self._seen[train.module] = _Seen(frames, highest_cell, self._now())
        if len(train.pulse_id) > 1:
            self._pulse_step = int(train.pulse_id[1]) - int(train.pulse_id[0])

    def status(self) -> str:
        """One sentence: good, or what about the data does not fit the settings."""
        if not self._seen:
            return "no train yet"
        since = self._now() - max(seen.at_s for seen in self._seen.values())
        if since > STALE_S:
            return f"no train for {since:.0f} s"
        seen = {module: one for module, one in self._seen.items() if self._now() - one.at_s <= STALE_S}
        frames = {module: one.frames for module, one in seen.items()}
        if len(set(frames.values())) > 1:
            counts = ", ".join(f"module {module}: {count}" for module, count in sorted(frames.items()))
            return f"modules send different numbers of frames ({counts}); check the veto and cell settings"
        count = next(iter(frames.values()))
        pulse_filter = self._setting.pulse_filter
        if pulse_filter.beyond(count):
            return f"pulse_filter {pulse_filter.text} names frames that trains of {count} frames do not have"
        if count != self._memory_cells:
            return (
                f"trains have {count} frames, memory_cells says {self._memory_cells}; one of the two is wrong"
            )
        beyond = {module: one.highest_cell for module, one in seen.items()}
        worst = max(beyond, key=lambda module: beyond[module])
        if beyond[worst] >= self._memory_cells:
            return (
                f"module {worst} sends memory cell {beyond[worst]}, but the constants hold cells 0 to "
                f"{self._memory_cells - 1}: its frames are flagged; check the cell settings"
            )
        if self._pulse_step > 0 and self._rate_mhz is not None:
            rate = math.floor(45 / self._pulse_step) / 10  # as EXtra-data, components.py, has it
            if rate != self._rate_mhz:
                return (
                    f"pulses come every {self._pulse_step} ticks, {rate} MHz, but the conditions say "
                    f"{self._rate_mhz} MHz: constants would be those of another rate"
                )
        return "good"

    def rates(self) -> dict[str, float]:
        """Images that come in a second, by module."""
        return {str(module): round(rate.per_second, 1) for module, rate in sorted(self.images.items())}

    def describe(self) -> dict[str, Any]:
        """Counters for the control system."""
        return dict(self.counters)
