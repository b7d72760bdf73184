"""The high voltage of one photomultiplier: a closed formula of time between two commands."""

from __future__ import annotations

from typing import Final

from sim.degg.figures import PhotomultiplierFigures
from sim.degg.keys import normals
from sim.degg.refusal import Refused
from sim.degg.truth import PmtTruth
from sim.kernel import NS_PER_S, FaultBoard, SimTime

MAX_VOLTS: Final = 2000.0


class HighVoltage:
    """Set, ramp, read back. Gain follows the true voltage; only the read-back has an offset.

    The digital-to-analogue converter keeps its value while the supply is disabled; enabling ramps up to it.
    """

    def __init__(
        self,
        truth: PmtTruth,
        number: int,
        faults: FaultBoard,
        key: tuple[int, str],
        figures: PhotomultiplierFigures,
    ) -> None:
        self._truth, self._number, self._faults, self._key, self._figures = (
            truth,
            number,
            faults,
            key,
            figures,
        )
        self._volts, self._since = 0.0, SimTime(0)
        self._set, self._enabled, self._reads = 0.0, False, 0

    @property
    def enabled(self) -> bool:
        """Whether the supply is enabled; a tripped one is not."""
        self._trip_if_faulty()
        return self._enabled

    @property
    def set_volts(self) -> float:
        """The set value, volts."""
        return self._set

    def enable(self, on: bool, now: SimTime) -> None:
        """Enable: the voltage ramps to the set value. Disable: it is gone at once."""
        self._restart(now)
        self._enabled = on

    def set(self, volts: float, now: SimTime) -> None:
        """Set the voltage, 0..2000 V. Raises Refused."""
        if not 0 <= volts <= MAX_VOLTS:
            raise Refused(f"high voltage must be 0..{MAX_VOLTS:.0f} V")
        self._restart(now)
        self._set = float(volts)

    def forbid(self, now: SimTime) -> None:
        """The interlock is lost: off at once, and enabling is needed again."""
        self.enable(False, now)

    def reset(self, now: SimTime) -> None:
        """The mainboard lost its power or starts anew: off, and the set value forgotten."""
        self.enable(False, now)
        self._set = 0.0

    def true_volts(self, now: SimTime) -> float:
        """At the photomultiplier."""
        self._trip_if_faulty()
        if not self._enabled:
            return 0.0
        return self._ramped(now)

    def _ramped(self, now: SimTime) -> float:
        step = self._figures.ramp_v_per_s * max(0, now - self._since) / NS_PER_S
        if self._set >= self._volts:
            return min(self._set, self._volts + step)
        return max(self._set, self._volts - step)

    def glance(self, now: SimTime) -> tuple[bool, float]:
        """Whether it is enabled, and the true voltage, for an onlooker: nothing trips because somebody looks."""
        trip = self._faults.parameters("trip_hv")
        tripped = trip is not None and trip["channel"] == self._number
        on = self._enabled and not tripped
        return on, self._ramped(now) if on else 0.0

    def ramps_until(self, now: SimTime) -> SimTime:
        """When the voltage comes to rest; *now* if it rests."""
        left = abs(self._set - self.true_volts(now)) if self._enabled else 0.0
        return SimTime(now + int(left / self._figures.ramp_v_per_s * NS_PER_S))

    @property
    def restless(self) -> bool:
        """Whether the fault `noisy_hv` is on here."""
        active = self._faults.parameters("noisy_hv")
        return active is not None and active["channel"] == self._number

    def fluctuation(self) -> float:
        """Relative fluctuation that the fault `noisy_hv` makes; 0 without it."""
        struck = self._faults.strike("noisy_hv") if self.restless else None
        return float(struck.parameters["relative"]) if struck else 0.0

    def read_volts(self, now: SimTime) -> float:
        """Read-back of the slow ADC: true value + offset + noise; noise alone without voltage."""
        true = self.true_volts(now)
        self._reads += 1
        first, second = normals(2, *self._key, "hv", self._number, self._reads)
        noise = self._figures.read_noise_v * first
        if true == 0.0:
            return abs(noise)
        return true * (1.0 + self.fluctuation() * second) + self._truth.hv_offset_volts + noise

    def read_current_ua(self, now: SimTime) -> float:
        """Read-back of the divider's current, microampere."""
        self._reads += 1
        (drawn,) = normals(1, *self._key, "hv", self._number, self._reads)
        return self.true_volts(now) / self._figures.divider_mohm + 0.02 * abs(drawn)

    def _trip_if_faulty(self) -> None:
        active = self._faults.parameters("trip_hv")
        if active is not None and active["channel"] == self._number and self._enabled:
            self._faults.strike("trip_hv")
            self._enabled = False

    def _restart(self, now: SimTime) -> None:
        """The ramp begins at the voltage that there is: none, if the supply was not enabled."""
        self._volts, self._since = self.true_volts(now), now
