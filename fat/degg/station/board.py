"""The mainboard of a module by its console: identity, firmware, sensors, high voltage."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fat.degg.station.console import Console
from fat.degg.station.errors import AnswerMalformed, ModuleRefused

UNCONFIGURED: Final = 0xFFFF
"""What `fpgaVersion` says of an FPGA without configuration."""
DAC_LETTERS: Final = (ord("A"), ord("B"))
BASELINE_DAC: Final = 30_000
MAX_HV: Final = 2000
SLOW_ADC: Final[Mapping[int, str]] = {
    0: "current 1.1 V",
    1: "current 1.35 V",
    2: "current 1.8 V",
    3: "current 2.5 V",
    4: "current 3.3 V",
    5: "rail 1.8 V",
    6: "light sensor",
    7: "temperature",
    8: "high voltage 0",
    9: "current of high voltage 0",
    10: "high voltage 1",
    11: "current of high voltage 1",
    12: "rail 1.1 V",
    13: "rail 1.35 V",
    14: "rail 2.5 V",
    15: "rail 3.3 V",
}
"""Channels of the slow ADC; currents in mA, of the high voltage in uA, rails and high voltage in V, light in mV, C."""
TEMPERATURE: Final = 7
MOST_DIGITS: Final = 19
CONFIGURE_TIMEOUT_S: Final = 15.0
SENSOR_TIMEOUT_S: Final = 6.0
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_HEX: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{8,32})\b")


@dataclass(frozen=True, slots=True)
class FlashFile:
    """A file in a module's flash memory."""

    name: str
    size: int


class Board:
    """Identity, firmware, sensors and high voltage. Errors as those of Module."""

    def __init__(self, port: int, address: str, serial: str = "") -> None:
        self.port = port
        """Nominal, such as 5003."""
        self.serial = serial or f"degg.{port}"
        """What the run's papers call it; without them its port."""
        name = f"degg.{port}" if self.serial == f"degg.{port}" else f"{self.serial} (degg.{port})"
        self.console = Console(name, address)

    def __repr__(self) -> str:
        return f"Module({self.port}, {self.serial!r})"

    @property
    def name(self) -> str:
        """For messages: serial number and port."""
        return self.console.name

    # Identity and firmware

    def fpga_version(self) -> int:
        """Version of the FPGA's image; UNCONFIGURED without one."""
        return self.console.number("fpgaVersion")

    def iceboot_version(self) -> int:
        """Version of Iceboot."""
        return self.console.number("softwareVersion")

    def board_type(self) -> int:
        """113 for a D-Egg's mainboard."""
        return self.console.number("getBoardType")

    def icm_id(self) -> str:
        """The ICM's number, 16 hexadecimal digits, such as `a400000f18a1722d`."""
        return self._hex("icmID")

    def flash_id(self) -> str:
        """The flash memory's number, hexadecimal digits."""
        return self._hex("flashID")

    def mainboard_id(self) -> str:
        """The mainboard's number, hexadecimal digits."""
        return self._hex("mainboardID")

    def flash_files(self) -> list[FlashFile]:
        """What is in flash; the last one is the newest firmware."""
        rows = [line.split() for line in self.console.ask("flashLS").splitlines() if line.strip()]
        return [
            FlashFile(row[0], int(row[1]))
            for row in rows
            if len(row) >= 3 and len(row[1]) < MOST_DIGITS and row[1].isdecimal()
        ]

    def configure_fpga(self, name: str) -> None:
        """Configure the FPGA with a file from flash; takes some seconds."""
        self.console.do(f's" {name}" flashConfigureFPGA', timeout_s=CONFIGURE_TIMEOUT_S)

    def reboot(self, between: Callable[[], None] = lambda: None) -> None:
        """Restart the board and bring Iceboot up again. High voltage, lights and the FPGA's configuration are gone.

        between  what to do between two tries (wait on the bench's clock)
        """
        self.console.restart(between)

    # Slow controls

    def slow_adc(self, channel: int) -> float:
        """A channel of the slow ADC (SLOW_ADC says which, and in which unit)."""
        said = self.console.ask(f"{channel} sloAdcReadChannel")
        return self._fourth_word(f"{channel} sloAdcReadChannel", said)

    def slow_adc_text(self) -> str:
        """What the console prints to `sloAdcReadAll`. Raises ModuleRefused when the FPGA has no configuration."""
        said = self.console.ask("sloAdcReadAll").strip()
        if "FAIL" in said or not said:
            raise ModuleRefused(
                self.name, "sloAdcReadAll", f"{said or 'nothing'} (has its FPGA a configuration?)"
            )
        return said

    def slow_adc_all(self) -> dict[int, float]:
        """All channels of the slow ADC in one answer."""
        found = {}
        for line in self.slow_adc_text().splitlines():
            words = line.split()
            if len(words) >= 4 and words[1].isdecimal():
                found[int(words[1])] = self._fourth_word("sloAdcReadAll", line)
        return found

    def temperature(self) -> float:
        """Of the mainboard, C."""
        return self.slow_adc(TEMPERATURE)

    def pressure(self) -> float:
        """Inside the vessel, hPa."""
        return self._reals("getPressure printPressure", 1)[0]

    def magnetic_field(self) -> tuple[float, float, float]:
        """Tesla."""
        x, y, z = self._reals("getBFieldXYZ printBFieldXYZ", 3)
        return x, y, z

    def acceleration(self) -> tuple[float, float, float]:
        """m/s2."""
        x, y, z = self._reals("getAccelerationXYZ printAccelerationXYZ", 3)
        return x, y, z

    def hv_interlock(self) -> bool:
        """Whether the ICM permits high voltage."""
        return bool(self.console.number("readHVInterlock"))

    def light_permits_hv(self) -> bool:
        """Whether the light sensor sees it dark enough for high voltage."""
        return bool(self.console.number("readLightSensorPmtHvEnable"))

    def lid_interlock(self) -> bool:
        """Whether the ICM permits flasher and cameras."""
        return bool(self.console.number("readLIDInterlock"))

    def enable_hv(self, channel: int) -> None:
        """Switch a photomultiplier's high voltage on. Raises ModuleRefused when interlock or light sensor forbid it."""
        self.console.do(f"{channel} enableHV")

    def disable_hv(self, channel: int) -> None:
        """Switch it off, at once."""
        self.console.do(f"{channel} disableHV")

    def disable_all_hv(self, channels: Sequence[int] = (0, 1)) -> None:
        """Switch several off, at once."""
        for channel in channels:
            self.disable_hv(channel)

    def hv_enabled(self, channel: int) -> bool:
        """Whether it is on."""
        return bool(self.console.number(f"{channel} DEggHVEnabled"))

    def set_hv(self, channel: int, volts: float) -> None:
        """Set it, whole volts, 0..2000; it ramps: wait HV_SETTLING_S. Raises ValueError."""
        if not 0 <= volts <= MAX_HV:
            raise ValueError(f"{self.name}: high voltage must be 0..{MAX_HV} V, not {volts}")
        self.console.do(f"{channel} {round(volts)} setDEggHV")

    def read_hv(self, channel: int) -> float:
        """Its read-back, V."""
        return self.slow_adc(8 + 2 * channel)

    def read_current(self, channel: int) -> float:
        """Its current, uA."""
        return self.slow_adc(9 + 2 * channel)

    def set_dac(self, channel: int, value: int = BASELINE_DAC) -> None:
        """The baseline's converter of a channel, 0..65535; 30000 makes some 8000 counts."""
        self.console.do(f"{DAC_LETTERS[channel]} {value} setDAC")

    def dom_clock(self) -> int:
        """The module's clock, ticks of 240 MHz."""
        low, high = self.console.numbers("domClock", 2)
        return low | high << 32

    def _hex(self, command: str) -> str:
        said = self.console.ask(command)
        found = _HEX.search(said)
        if found is None:
            raise AnswerMalformed(self.name, command, f"is {said.strip()[:80]!r} and no number")
        return found[1].lower()

    def _reals(self, command: str, count: int) -> list[float]:
        said = self.console.ask(command, SENSOR_TIMEOUT_S)
        found = [float(text) for text in _NUMBER.findall(said)[:count]]
        if len(found) != count:
            raise ModuleRefused(self.name, command, said.strip() or "nothing")
        return found

    def _fourth_word(self, command: str, said: str) -> float:
        """The value in `Channel 7 : -39.500 C`, as public clients read it."""
        words = said.split()
        if "FAIL" in said:
            raise ModuleRefused(self.name, command, said.strip())
        try:
            return float(words[3])
        except (IndexError, ValueError):
            raise AnswerMalformed(self.name, command, f"is {said.strip()[:80]!r} and no reading") from None
