"""A wire pair: the field hub's ICM at one end, up to eight modules at the other, and what flows between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sim.degg import icm_registers as reg
from sim.degg.gps import Gps
from sim.degg.icm import Icm, Wired
from sim.degg.icm_figures import WirePairFigures
from sim.degg.keys import generator, key_of
from sim.degg.power import Power
from sim.degg.rapcal import HubClock, ModuleClock, calibration, missed
from sim.kernel import NS_PER_S, FaultBoard, FaultSpec, SimTime

WIRE_PAIR_FAULTS: Final = (
    FaultSpec(
        "lose_gps_lock",
        "The field hub's receiver sees no satellites: no lock, and snapshots of time are never ready.",
        "get_gps_status is not 0x000e; a timing measurement stops",
    ),
    FaultSpec(
        "miscount_errors",
        "The ICMs of the wire pair count errors of communication.",
        "CERR is not zero, and more at each reading",
    ),
    FaultSpec(
        "miss_rapcal_pulse",
        "The field hub does not see the module's pulse: a RAPCal header without a packet.",
        "the reader of RAPCal data: Missing DOM pulse",
    ),
)

OK: Final = "OK"
NOT_CONNECTED: Final = "?NOCONN"
TIMED_OUT: Final = "?TIMEOUT"
NOT_READY: Final = "?NOTREADY"
"""Statuses that the public clients (fh_server, scripts) know."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command is answered with."""

    status: str
    value: Any = None
    after_s: float = 0.0
    """Wall time that it takes, on a clock that follows the wall."""


class WirePair:
    """One field hub with its modules.

    base     first nominal port, 5000; the command port is base + 1000
    group    the name of the wire pair in the power path
    waits    whether time passes by itself, so that clients have to wait for the hardware
    """

    def __init__(
        self,
        base: int,
        group: int,
        wired: Sequence[Wired],
        power: Power,
        faults: FaultBoard,
        unix_ns: Callable[[SimTime], int],
        figures: WirePairFigures,
        seed: int,
        *,
        waits: bool,
    ) -> None:
        self.figures, self.power, self._waits = figures, power, waits
        self._base, self.group, self._faults, self._seed = base, group, faults, seed
        self.gps = Gps(unix_ns, faults, waits=waits, no_lock=figures.icm.no_lock)
        hub_id = f"{key_of(seed, 'hub', base):016x}"
        self.hub = Icm(reg.HUB, hub_id, figures.icm.firmware, None)
        self.hub_clock = HubClock(int(key_of(seed, "hub clock", base) % (1 << 40)))
        self.icms = {one.address: Icm(one.address, one.icm_id, figures.icm.firmware, one) for one in wired}
        self._at = {one.port: self.icms[one.address] for one in wired}
        self._readings = self._calibrations = 0
        self._connected: set[int] = set()
        for icm in (self.hub, *self.icms.values()):
            icm.reset(SimTime(0), golden=True)
        power.watch(self._switched)
        self.find(SimTime(0))

    # -- who is there

    def find(self, now: SimTime) -> None:
        """Look which modules answer on the wire pair."""
        self._connected = {address for address in self.icms if self._answers(self.icms[address], now)}
        for icm in self.icms.values():
            icm.silent = 0

    def connected(self, now: SimTime) -> list[int]:
        """Addresses of all ICMs that are connected; who has fallen silent is not, until the next `find`."""
        if not self.hub_answers(now):
            self._connected.clear()
            return []
        self._connected = {a for a in self._connected if self._answers(self.icms[a], now)}
        return [*sorted(self._connected), reg.HUB]

    def hub_answers(self, now: SimTime) -> bool:
        """Whether the field hub's own ICM runs."""
        return self.power.mains and now >= self.hub.away_until

    def reached(self, address: int, now: SimTime) -> Icm | Reply:
        """The ICM at an address, or why it cannot be reached."""
        if not self.hub_answers(now):
            self._connected.clear()
            return Reply(NOT_READY)
        if address == reg.HUB:
            self.hub.counted()
            return self.hub
        if address not in self._connected:
            return Reply(NOT_CONNECTED)
        icm = self.icms[address]
        if self._answers(icm, now):
            icm.silent = 0
            icm.counted()
            return icm
        icm.silent += 1
        if icm.silent >= self.figures.icm.time_outs_to_drop:
            self._connected.discard(address)
        return Reply(TIMED_OUT, after_s=self.figures.icm.time_out_s)

    def _answers(self, icm: Icm, now: SimTime) -> bool:
        assert icm.wired is not None
        if not self.power.reaches(icm.wired.port) or now < icm.away_until:
            return False
        return icm.wired.faults.strike("absent") is None

    # -- power

    def switch(self, now: SimTime, on: bool) -> None:
        """Switch the power of the wire pair. ICMs that got power are found by the next `find`."""
        if on == self.power.wire_pairs[self.group]:
            return
        if not on:
            self._connected.clear()
        self.power.set_wire_pair(now, self.group, on)
        for icm in self.icms.values():
            icm.reset(now, golden=True)
            if on and icm.wired is not None:
                self.power.set_mainboard(now, icm.wired.port, True)

    def switch_mainboard(self, now: SimTime, icm: Icm, on: bool) -> None:
        """Switch the mainboard behind an ICM."""
        assert icm.wired is not None
        self.power.set_mainboard(now, icm.wired.port, on)

    def mainboard_on(self, icm: Icm) -> bool:
        """Whether the mainboard behind an ICM is switched on."""
        assert icm.wired is not None
        return self.power.mainboards[icm.wired.port]

    def reconfigure(self, now: SimTime, icm: Icm) -> None:
        """Load an ICM's FPGA anew: what hangs behind it loses its power, and it is away for a while."""
        if icm is self.hub:
            self.switch(now, on=False)
            away_s = self.figures.icm.hub_reconfigure_s
        else:
            self.switch_mainboard(now, icm, on=False)
            away_s = self.figures.icm.reconfigure_s
        icm.reset(now, golden=False)
        icm.away_until = SimTime(now + (int(away_s * NS_PER_S) if self._waits else 0))

    def _switched(self, port: int, on: bool, now: SimTime) -> None:
        icm = self._at.get(port)
        if icm is not None and not on and not self.power.reaches(port):
            self._connected.discard(icm.address)
            icm.reset(now, golden=True)

    # -- measurements

    def volts(self) -> float:
        """Voltage of the wire pair at the field hub."""
        if not self.power.wire_pairs[self.group]:
            return 0.0
        figures = self.figures.icm
        return (figures.wp_volts - figures.wp_ohms * self._true_amperes()) * self._noise()

    def amperes(self) -> float:
        """Current of the wire pair."""
        return self._true_amperes() * self._noise()

    def _true_amperes(self) -> float:
        figures = self.figures.icm
        if not self.power.wire_pairs[self.group]:
            return 0.0
        icms = [icm.wired for icm in self.icms.values() if icm.wired is not None]
        there = sum(not one.faults.is_on("absent") for one in icms)
        boards = sum(self.power.powered_since(one.port) is not None for one in icms)
        return figures.hub_a + there * figures.icm_a + boards * figures.mainboard_a

    def _noise(self) -> float:
        self._readings += 1
        drawn = generator(self._seed, "wire pair", self._base, self._readings).standard_normal()
        return 1.0 + self.figures.icm.reading_noise * float(drawn)

    # -- registers and time

    def read(self, now: SimTime, icm: Icm, address: int) -> str:
        """A register as text."""
        if icm is self.hub and (text := self._hub_reading(now, address)) is not None:
            return text
        if address == reg.ICM_ID:
            return f"0x{icm.icm_id}"
        if icm.wired is not None and address == reg.MB_ID:
            return f"0x{icm.wired.mainboard_id}"
        if icm.wired is not None and address == reg.MB_PWR:
            return f"0x{reg.POWER_ON if self.mainboard_on(icm) else reg.POWER_OFF:04x}"
        if address == reg.CERR and self._faults.strike("miscount_errors") is not None:
            icm.errors += self.figures.icm.errors_for_each_read
        return f"0x{icm.plain(address):04x}"

    def _hub_reading(self, now: SimTime, address: int) -> str | None:
        if address == reg.WP_VOLT:
            return f"{self.volts():.3f}"
        if address == reg.WP_CUR:
            return f"{self.amperes():.4f}"
        if address == reg.GPS_TIME:
            return self.gps.text(now)
        word = self._hub_word(now, address)
        return None if word is None else f"0x{word:04x}"

    def _hub_word(self, now: SimTime, address: int) -> int | None:
        if address in reg.UTC_WORDS:
            return self.gps.words(now)[reg.UTC_WORDS.index(address)]
        if reg.RAPCAL_TIME <= address < reg.RAPCAL_TIME + 3:
            return self.latched_ticks(now) >> 16 * (address - reg.RAPCAL_TIME) & 0xFFFF
        if address == reg.GPS_CTRL:
            return self.gps.control(now)
        if address == reg.GPS_STAT:
            return self.gps.status()
        if address == reg.CONN_ICMS:
            return sum(1 << one for one in self.connected(now) if one != reg.HUB)
        if address == reg.WP_PWR:
            return reg.POWER_ON if self.power.wire_pairs[self.group] else reg.POWER_OFF
        return None

    def write(self, now: SimTime, icm: Icm, address: int, value: int) -> bool:
        """Write a register; False: it does not take this value."""
        if address == (reg.WP_PWR if icm is self.hub else reg.MB_PWR):
            if value not in (reg.POWER_ON, reg.POWER_OFF):
                return False
            on = value == reg.POWER_ON
            if icm is self.hub:
                self.switch(now, on)
            else:
                self.switch_mainboard(now, icm, on)
            return True
        if icm is self.hub and address == reg.GPS_CTRL:
            if value & reg.GPS_ASKED:
                self.gps.enable(now)
            return True
        icm.set_plain(now, address, value)
        return True

    def latched_ticks(self, now: SimTime) -> int:
        """The field hub's time at the last snapshot, ticks of 60 MHz; without one, its time now."""
        at = self.gps.latched(now)
        return int(self.hub_clock.exact(now if at is None else at)) & 0xFFFF_FFFF_FFFF

    def ticks(self, now: SimTime, icm: Icm) -> int:
        """A module's time now, ticks of 60 MHz."""
        assert icm.wired is not None
        return int(ModuleClock(icm.wired.clock).exact(now)) & 0xFFFF_FFFF_FFFF

    def calibrate(self, now: SimTime, icm: Icm) -> None:
        """Exchange RAPCal pulses with a module; the packet goes to its console."""
        assert icm.wired is not None
        self._calibrations += 1
        wired = icm.wired
        if self._faults.strike("miss_rapcal_pulse") is not None:
            wired.board.console_output(missed(wired.address))
            return
        figures = self.figures.rapcal
        cable_ns = figures.cable_min_ns + _drawn_cable(self._seed, wired.serial) * (
            figures.cable_max_ns - figures.cable_min_ns
        )
        rng = generator(self._seed, wired.serial, "rapcal", self._calibrations)
        clock = ModuleClock(wired.clock)
        data = calibration(now, self.hub_clock, clock, wired.address, cable_ns, figures, rng)
        wired.board.console_output(data)


@lru_cache(maxsize=256)
def _drawn_cable(seed: int, serial: str) -> float:
    """How long a module's cable is between the shortest and the longest, 0..1."""
    return float(generator(seed, serial, "cable").uniform())
