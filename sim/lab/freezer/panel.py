"""The freezer's panel: a display, and three keys that change the set-point, in simulated time.

Set held for `long_press_s` enters set mode, which shows the set-point to 0.1 C. Each press of up or down changes what
is shown by 0.1 C; a press of set makes it the set-point. Nothing ticks: what has happened since the last key is worked
out when somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sim.kernel import NS_PER_S, FaultBoard, FaultSpec, SimTime
from sim.lab.figures import FreezerFigures
from sim.lab.freezer.freezer import Freezer

Key = Literal["set", "up", "down"]

PANEL_FAULTS: Final = (
    FaultSpec(
        "lose_key_press",
        "The panel does not see every n-th press of up or down.",
        "the set-point on the picture differs from the one that the client believes; the box ends elsewhere",
        {"every": 10},
    ),
)
"""`struck` counts the presses that were lost."""


@dataclass(frozen=True, slots=True)
class Display:
    """What the panel shows."""

    actual: str
    """Temperature of the air, Celsius to 0.1."""
    set_point: str
    """Set-point, in set mode the one that is being changed."""
    set_mode: bool
    runs: bool
    """Lamp of the compressor."""
    door: bool
    """Lamp of the open door."""


class Panel:
    """Keys and display of one freezer."""

    def __init__(self, freezer: Freezer, figures: FreezerFigures, faults: FaultBoard) -> None:
        self._freezer, self._faults = freezer, faults
        self._long, self._shortest, self._gap, self._patience = (
            round(seconds * NS_PER_S)
            for seconds in (figures.long_press_s, figures.min_press_s, figures.min_gap_s, figures.set_mode_s)
        )
        self._down: dict[Key, SimTime] = {}
        self._released: dict[Key, SimTime] = {}
        self._touched = SimTime(0)
        self._tenths: int | None = None
        """The set-point that is being changed, in 0.1 C; None: not in set mode."""
        self._entered_by_this_press = False
        self._presses = 0

    def press(self, key: Key, now: SimTime) -> None:
        """A key goes down. One that is down stays down."""
        self._settle(now)
        if key in self._down:
            return
        self._down[key] = now
        if key == "set":
            self._entered_by_this_press = False

    def release(self, key: Key, now: SimTime) -> None:
        """A key comes up, and what it stands for is done, if it was down long enough."""
        self._settle(now)
        since = self._down.pop(key, None)
        if since is None:
            return
        before = self._released.get(key)
        bounced = before is not None and since - before < self._gap
        self._released[key] = self._touched = now
        if now - since < self._shortest or bounced:
            return
        if key == "set":
            self._set(now)
        elif self._tenths is not None and not self._lost():
            step = 1 if key == "up" else -1
            lowest, highest = round(self._freezer.lowest * 10), round(self._freezer.highest * 10)
            self._tenths = min(max(self._tenths + step, lowest), highest)

    def display(self, now: SimTime) -> Display:
        """What can be read off."""
        self._settle(now)
        set_mode = self._tenths is not None
        tenths = round(self._freezer.set_point * 10) if self._tenths is None else self._tenths
        cold = self._freezer.cold
        return Display(
            _shown(round(cold.air(now) * 10)), _shown(tenths), set_mode, self._freezer.cools, cold.open
        )

    def _set(self, now: SimTime) -> None:
        if self._entered_by_this_press:
            self._entered_by_this_press = False
        elif self._tenths is not None:
            self._freezer.aim(now, self._tenths / 10)
            self._tenths = None

    def _settle(self, now: SimTime) -> None:
        """What has happened by itself until now: a held set key entered set mode, or nobody went on."""
        if self._tenths is None:
            held_since = self._down.get("set")
            if held_since is not None and not self._entered_by_this_press and now - held_since >= self._long:
                self._tenths = round(self._freezer.set_point * 10)
                self._entered_by_this_press = True
        elif not self._down and now - self._touched >= self._patience:
            self._tenths = None

    def _lost(self) -> bool:
        """Whether a fault takes this press away."""
        fault = self._faults.active().get("lose_key_press")
        if fault is None:
            self._presses = 0
            return False
        self._presses += 1
        if self._presses % max(1, fault["every"]):
            return False
        self._faults.strike("lose_key_press")
        return True


def _shown(tenths: int) -> str:
    return f"{tenths / 10:.1f}"
