"""Keysight (before: Agilent, HP) E3631A, one of whose outputs supplies the laser head."""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.lab.figures import ScpiFigures
from sim.lab.instruments.supply_outputs import TABLE
from sim.lab.instruments.supply_ratings import Level, OutputName, limits
from sim.lab.lines import Readings
from sim.lab.scpi import Dialect, ScpiError, ScpiInstrument, Value
from sim.lab.scpi.parameters import Asked
from sim.lab.scpi.session import Session
from sim.lab.scpi.status import QueueStyle
from sim.lab.scpi.table import Call
from sim.lab.world import World

SUPPLY_FAULTS: Final = (
    FaultSpec(
        "trip_output",
        "The outputs switch themselves off, and do so again whenever they are switched on; error -300 is noted.",
        "no light and no sync; OUTP? and MEAS:VOLT? answer 0",
    ),
    FaultSpec(
        "sag_output",
        "All outputs give less than what is set, relative to it.",
        "MEAS:VOLT? differs from VOLT?; outside the laser's window there is no light",
        {"relative": 0.2},
    ),
)
"""Beside those of the line and of readings."""

_TRACKS: Final = {"P25V": "N25V", "N25V": "P25V"}
_CONSTANT_CURRENT: Final = 1


class E3631A(ScpiInstrument):
    """The supply. Its outputs have one common switch; *laser* is the one that the laser head hangs on."""

    def __init__(
        self,
        figures: ScpiFigures,
        world: World,
        faults: FaultBoard,
        laser: OutputName = "P25V",
        volts: float = 0.0,
        on: bool = False,
    ) -> None:
        queue = QueueStyle(20, signed_zero=True, overflow="Too many errors")
        super().__init__(Dialect(figures.supply_identity, queue, version="1995.0"), TABLE)
        self._world, self._faults, self._laser = world, faults, laser
        self._load_ohm = figures.laser_load_ohm
        self._readings = Readings(faults)
        self._triggered: dict[str, float] = {}
        self._waits_for_trigger = False
        self._memories: dict[int, dict[str, Value]] = {}
        self.values |= {f"{laser}_volts": volts, "on": on}
        self.changed(SimTime(0))

    @property
    def selected(self) -> str:
        """The output that commands are about."""
        return str(self.values["selected"])

    def checked(self, wanted: dict[str, Value], changed: dict[str, Value]) -> dict[str, Value]:
        """While tracking, both 25 V outputs are set alike."""
        if wanted["tracking"]:
            leader = "N25V" if "N25V_volts" in changed else "P25V"
            wanted[f"{_TRACKS[leader]}_volts"] = -float(wanted[f"{leader}_volts"])
        return wanted

    def changed(self, now: SimTime) -> None:
        """The laser head sees it."""
        if self.values["on"] and self._faults.strike("trip_output") is not None:
            self.values["on"] = False
            self.status.note(-300)
        self._world.light.set_supply(now, abs(self.true_volts(self._laser)), bool(self.values["on"]))

    def struck(self, now: SimTime) -> None:
        """A fault was switched."""
        self.changed(now)

    def reset(self, now: SimTime) -> None:
        """Also forgets levels that wait for a trigger."""
        self._triggered, self._waits_for_trigger = {}, False
        super().reset(now)

    def true_volts(self, output: str) -> float:
        """What an output really gives, less than what is set while its current is limited."""
        if not self.values["on"]:
            return 0.0
        sag = self._faults.strike("sag_output")
        volts = float(self.values[f"{output}_volts"])
        if sag is not None:
            volts *= 1.0 - float(sag.parameters["relative"])
        if output != self._laser:
            return volts
        most = float(self.values[f"{output}_amps"]) * self._load_ohm
        return max(-most, min(most, volts))

    def true_amps(self, output: str) -> float:
        """What flows; nothing hangs on outputs other than the laser's."""
        return abs(self.true_volts(output)) / self._load_ohm if output == self._laser else 0.0

    def measured(self, output: str, what: Level, now: SimTime) -> float:
        """What the meters show."""
        true = self.true_volts(output) if what == "volts" else self.true_amps(output)
        return self._readings.shown(f"{output}_{what}", true, now)

    def questionable(self, now: SimTime) -> int:  # noqa: ARG002
        """Bit 0 while the current of the laser's output is limited."""
        wanted = abs(float(self.values[f"{self._laser}_volts"]))
        limited = self.values["on"] and float(self.values[f"{self._laser}_amps"]) * self._load_ohm < wanted
        return _CONSTANT_CURRENT if limited else 0

    def set_level(self, call: Call, output: str, asked: Asked, what: Level) -> None:
        """One level of one output, at once."""
        self.change(call.now, **{f"{output}_{what}": self._level(output, asked, what)})

    def _level(self, output: str, asked: Asked, what: Level) -> float:
        low, high = limits(output, what)
        return asked.within(low, high, float(self.default(f"{output}_{what}")))

    def set_triggered(self, call: Call, what: Level) -> None:
        """A level of the selected output that waits for a trigger."""
        self._triggered[f"{self.selected}_{what}"] = self._level(self.selected, call.values[0], what)

    def shown_triggered(self, what: Level) -> float:
        """The level that waits, or the present one."""
        key = f"{self.selected}_{what}"
        return self._triggered.get(key, float(self.values[key]))

    def initiate(self, now: SimTime) -> None:
        """Wait for a trigger, or take the levels at once."""
        self._waits_for_trigger = True
        if self.values["trigger_source"] == "IMM":
            self.triggered(now)

    def triggered(self, now: SimTime) -> None:
        """Take the levels that wait. Raises ScpiError if nothing waits for a trigger."""
        if not self._waits_for_trigger:
            raise ScpiError(-211)
        levels, self._triggered, self._waits_for_trigger = self._triggered, {}, False
        self.change(now, **levels)

    def save(self, call: Call) -> None:
        """`*SAV n`."""
        self._memories[call.values[0]] = dict(self.values)

    def recall(self, call: Call) -> None:
        """`*RCL n`; an empty memory holds the state after reset, and the switch is not remembered."""
        memory = self._memories.get(call.values[0], {name: self.default(name) for name in self.values})
        self.values = {**memory, "on": self.values["on"]}
        self.changed(call.now)


class OverSerial:
    """The supply at its serial port, where answers end with CR LF."""

    def __init__(self, supply: ScpiInstrument) -> None:
        self._supply = supply

    def connect(self) -> Session:
        """A new connection."""
        return self._supply.connect(b"\r\n")
