"""A mainboard in its module: what a console session talks to, and what the ICM switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sim.degg.board_figures import BoardFigures
from sim.degg.clock import DomClock
from sim.degg.digitiser.block import Block
from sim.degg.flash import FlashDirectory
from sim.degg.fpga import Fpga
from sim.degg.interlocks import Interlocks
from sim.degg.keys import key_of, normals
from sim.degg.lights import Lights
from sim.degg.log import BootLog
from sim.degg.parts import Camera, ReadoutChannel, Sensors
from sim.degg.readout import Readout
from sim.degg.refusal import Refused
from sim.degg.slow_adc import Loads
from sim.degg.supply import NoSupply, Supply
from sim.degg.surroundings import Room
from sim.kernel import NS_PER_MS, NS_PER_S, FaultBoard, SimTime

BOARD_TYPE: Final = 113
"""What `getBoardType` gives for a D-Egg mainboard."""
OLDER_IMAGES: Final = ("degg_fw_v0x10c.rbf", "degg_fw_v0x10e.rbf")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a board tells of itself."""

    serial: str
    icm_id: str
    mainboard_id: str
    flash_id: str
    fpga_chip_id: str


class Module:
    """One mainboard with what is connected to it.

    waits  whether the clock follows the wall, so that starts, configuration and events take time
    lit    whether light of the room falls on the module
    """

    def __init__(
        self,
        port: int,
        seed: int,
        identity: Identity,
        channels: Sequence[ReadoutChannel],
        supplies: Sequence[Supply],
        room: Room,
        faults: FaultBoard,
        clock: DomClock,
        figures: BoardFigures,
        sensors: Sensors,
        cameras: Mapping[int, Camera],
        *,
        waits: bool = False,
        lit: Callable[[], bool] = lambda: False,
    ) -> None:
        self.port, self.seed, self.serial, self.board_type = port, seed, identity.serial, BOARD_TYPE
        self.channels, self.supplies, self.clock, self.figures = channels, supplies, clock, figures
        self.sensors, self.interlocks, self.log = sensors, Interlocks(), BootLog()
        self.lights, self.readout = Lights(channels, cameras), Readout(channels, clock)
        images = dict.fromkeys(
            (*OLDER_IMAGES, f"degg_fw_v0x{figures.fpga_version:x}.rbf"), figures.image_bytes
        )
        self.flash, self.fpga = FlashDirectory(images), Fpga(figures.fpga_version, faults)
        self.adc_registers: list[dict[int, int]] = [{} for _ in channels]
        self.icm_registers: dict[int, int] = {}
        self.dacs: dict[int, int] = {}
        self.listener: Callable[[bytes], None] | None = None
        """Where what the board says unasked goes: the connected client, if there is one."""
        self.echo, self.in_bootloader, self.starts = True, False, 0
        self._identity, self._room, self._faults = identity, room, faults
        self._waits, self._lit = waits, lit
        self._powered, self._hung = room.powered_since(SimTime(0)) is not None, False
        self._started = self._ready_at = self._events_until = SimTime(0)
        self._abandoned = False
        self._counts: dict[str, int] = {}
        self._traits: dict[str, float] = {}
        self.interlocks.watch(self._interlocks_changed)

    # power and start

    @property
    def powered(self) -> bool:
        """Whether the mainboard has power."""
        return self._powered

    def power_switched(self, on: bool, now: SimTime) -> None:
        """The mainboard gained or lost its power."""
        self._powered, self._hung = on, False
        if on:
            hang = self._faults.strike("hang_power_cycle")
            self._hung = hang is not None
            if hang is not None and hang.remaining is None:
                self._faults.switch_off("hang_power_cycle")  # another power cycle helps
        self._start(now)

    def reboot(self, now: SimTime) -> None:
        """The processor starts anew; the line stays."""
        self._start(now)

    def boot(self, now: SimTime) -> float:
        """Leave the boot loader; returns how long that takes, s."""
        self.in_bootloader = False
        self.log.add(self.uptime_ms(now), "Iceboot started")
        return self.figures.boot_s

    def _start(self, now: SimTime) -> None:
        self.starts += 1
        self._started, self._events_until, self._abandoned = now, now, False
        self._ready_at = SimTime(now + int(self.figures.start_s * NS_PER_S))
        self.echo, self.in_bootloader = True, True
        self.log = BootLog()
        self.fpga.forget()
        self.lights.reset(now)
        self.readout.reset()
        self.dacs.clear()
        for registers in self.adc_registers:
            registers.clear()
        for supply in self.supplies:
            supply.forbid(now)
        for channel in self.channels:
            channel.reset(now)

    def uptime_ms(self, now: SimTime) -> int:
        """Milliseconds since the last start."""
        return int(max(0, now - self._started) // NS_PER_MS)

    # console

    def listens(self, now: SimTime) -> bool:
        """Whether a command that arrives now is heard at all."""
        if not self._powered or self._hung or (self._waits and now < self._ready_at):
            return False
        if self._faults.strike("absent") is not None or self._faults.strike("time_out") is not None:
            return False
        self._watch_light(now)
        return True

    def interrupt(self, now: SimTime) -> None:
        """The client sends something: a block that it waited for is given up, and the acquisition begins anew."""
        if self._abandoned or (self._waits and now + NS_PER_MS < self._events_until):
            self._abandoned, self._events_until = False, now
            self.readout.restart(now)

    def patience_ends(self, now: SimTime) -> SimTime:
        """What happens later than this is not waited for."""
        return SimTime(max(now, self._events_until) + int(self.figures.block_patience_s * NS_PER_S))

    def wait_for(self, block: Block, now: SimTime) -> float | None:
        """Seconds until a block may be sent; None: never, and the board stays silent."""
        if not block.complete or block.ready_at > self.patience_ends(now):
            self._abandoned = True
            return None
        self._events_until = max(now, self._events_until, block.ready_at)
        return max(0, block.ready_at - now) / NS_PER_S

    def console_output(self, data: bytes) -> None:
        """Send bytes unasked to the connected client; without one they are lost."""
        if self.listener is not None and self._powered:
            self.listener(data)

    # FPGA

    def fpga_configured(self) -> bool:
        """Whether words that need the FPGA work."""
        return self.fpga.configured()

    def configure_fpga(self, name: str, now: SimTime) -> float:
        """Configure from flash; returns how long that takes, s. Raises Refused."""
        self.flash.version_of(name)  # a wrong file leaves the FPGA as it is
        self._stop_acquisition(now)
        self.fpga.configure(self.flash, name)
        return self.figures.configure_s

    def unconfigure_fpga(self, now: SimTime) -> None:
        """The FPGA forgets its configuration."""
        self._stop_acquisition(now)
        self.fpga.forget()

    def _stop_acquisition(self, now: SimTime) -> None:
        self.lights.set_trigger(None, now)
        for ch in self.readout.armed:
            self.readout.disable(ch, now)

    # high voltage

    def enable_hv(self, ch: int, now: SimTime) -> None:
        """Enable high voltage. Raises Refused."""
        if not self.interlocks.pmt_hv:
            raise Refused("PMT HV interlock not set")
        self._need_darkness(now)
        self.supplies[ch].enable(True, now)

    def set_hv(self, ch: int, volts: float, now: SimTime) -> None:
        """Set high voltage. Raises Refused."""
        if volts > 0:
            self._need_darkness(now)
        self.supplies[ch].set(volts, now)

    def set_baseline(self, ch: int, value: int) -> None:
        """Set the DAC of a channel's baseline."""
        self.dacs[ch] = value
        self.channels[ch].set_dac(value)

    def light_permits(self, now: SimTime) -> bool:
        """Whether the light sensor permits high voltage."""
        return self.light_sensor_mv(now) < self.figures.light_limit_mv

    def _need_darkness(self, now: SimTime) -> None:
        if not self.light_permits(now):
            raise Refused("light sensor does not permit HV")

    def _watch_light(self, now: SimTime) -> None:
        if not self.light_permits(now):
            for supply in self.supplies:
                if supply.enabled:
                    supply.forbid(now)

    def _interlocks_changed(self, now: SimTime) -> None:
        if not self.interlocks.pmt_hv:
            for supply in self.supplies:
                supply.forbid(now)
        if not self.interlocks.lid:
            self.lights.reset(now)

    # what is measured

    def light_sensor_mv(self, now: SimTime) -> float:  # noqa: ARG002  # the door is known for the present only
        """The light sensor."""
        return self.figures.light_lit_mv if self._lit() else self.figures.light_dark_mv

    def temperature(self, now: SimTime) -> float:
        """The board's temperature sensor, C."""
        return self._room.board_temperature(now) + self.figures.temperature_noise_c * self._noise(
            "temperature"
        )

    def true_temperature(self, now: SimTime) -> float:
        """Of the board, C, without a sensor's noise."""
        return self._room.board_temperature(now)

    def sensor_temperature(self, sensor: str, now: SimTime) -> float:
        """The temperature that another sensor on the board gives, C."""
        return self.temperature(now) + self.figures.temperature_spread_c * self.trait(f"temperature {sensor}")

    def loads(self, now: SimTime) -> Loads:
        """What draws current."""
        enabled = sum(supply.enabled for supply in self.supplies)
        return Loads(self._room.board_temperature(now), len(self.readout.armed), enabled)

    def trait(self, name: str) -> float:
        """A property of this board, once and for all: normal with width one, cut at two."""
        if name not in self._traits:
            (value,) = normals(1, self.seed, self.serial, "trait", name)
            self._traits[name] = max(-2.0, min(2.0, value))
        return self._traits[name]

    def count(self, name: str) -> int:
        """How often this was asked, counted on."""
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]

    def _noise(self, name: str) -> float:
        return normals(1, self.seed, self.serial, name, self.count(name))[0]

    def identity(self, name: str) -> str:
        """A number of the board as its console prints it: icm, mainboard, flash, stm, fpga or software."""
        own = self._identity
        numbers = {
            "icm": own.icm_id,
            "mainboard": own.mainboard_id,
            "flash": own.flash_id,
            "fpga": own.fpga_chip_id,
            "stm": f"{key_of(self.seed, self.serial, 'stm'):016x}",
        }
        if name == "software":
            return f"stellwerk-{self.figures.software_version:d}"
        return f"0x{numbers[name]}"


def no_supplies(channels: Sequence[ReadoutChannel]) -> list[Supply]:
    """For a board without high voltage."""
    return [NoSupply() for _ in channels]
