"""One ICM, the modem at either end of a wire pair: its registers, and what they do to the module behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from sim.degg import icm_registers as reg
from sim.degg.clock import DomClock
from sim.kernel import FaultBoard, SimTime

_SWITCHES: Final = (
    ("pmt_hv", reg.PMT_HV),
    ("lid", reg.LID),
    ("mcu_flash", reg.MCU_FLASH),
    ("fpga_config", reg.FPGA_CONFIG),
)


class Interlocks(Protocol):
    """The switches of a mainboard that only its ICM sets."""

    pmt_hv: bool
    lid: bool
    mcu_flash: bool
    fpga_config: bool

    def changed(self, now: SimTime, /) -> None:
        """Called after switches were set."""
        ...


class Mainboard(Protocol):
    """What an ICM needs of the module behind it."""

    @property
    def interlocks(self) -> Interlocks:
        """Its switches."""
        ...

    def reboot(self, now: SimTime, /) -> None:
        """Start its processor anew."""
        ...

    def console_output(self, data: bytes, /) -> None:
        """Send bytes to the client that is connected to its console, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Wired:
    """A module on a wire pair."""

    port: int
    """Nominal port of its console, 5003."""
    address: int
    """On the wire pair, 0..7: port - base."""
    serial: str
    icm_id: str
    """16 hex digits."""
    mainboard_id: str
    """32 hex digits."""
    clock: DomClock
    board: Mainboard
    faults: FaultBoard
    """The module's; `absent` acts here."""


class Icm:
    """Registers of one ICM.

    wired  the module behind it; None: it is the field hub's own
    """

    def __init__(self, address: int, icm_id: str, firmware: int, wired: Wired | None) -> None:
        self.address, self.icm_id, self.wired = address, icm_id, wired
        self.away_until = SimTime(0)
        """While its FPGA is being reconfigured."""
        self.silent = 0
        """Time-outs in a row."""
        self.errors = 0
        self._firmware, self._image, self._golden = firmware, 0, True
        self._packets = 0
        self._plain: dict[int, int] = {}

    def reset(self, now: SimTime, *, golden: bool) -> None:
        """As after power-up (golden image), or after a reconfiguration to the image that was set."""
        self._plain.clear()
        self._packets = self.errors = self.silent = 0
        self._golden = golden or self._image < 2  # 0 and 1 are the golden images
        self._plain[reg.CTRL2] = reg.CTRL2_RESET
        self._apply_interlocks(now)

    def counted(self) -> None:
        """A packet came."""
        self._packets = (self._packets + 1) & 0xFFFF

    def plain(self, address: int) -> int:
        """A register of 16 bits that depends on nothing but this ICM."""
        if address == reg.FW_VERS:
            return self._firmware
        if address == reg.GI_IND:
            return reg.GOLDEN if self._golden else 0
        if address == reg.PKT_CNT:
            return self._packets
        if address == reg.CERR:
            return self.errors & 0xFFFF
        if address == reg.WP_ADDR:
            return self.address
        if address == reg.MULTIB_ID:
            return self._image
        return self._plain.get(address, 0)

    def set_plain(self, now: SimTime, address: int, value: int) -> None:
        """Write such a register. Those that only read take no notice."""
        if address in (reg.FW_VERS, reg.GI_IND, reg.PKT_CNT, reg.CERR, reg.WP_ADDR):
            return
        if address == reg.MULTIB_ID:
            self._image = value & 0x7
            return
        if address == reg.CTRL1 and value & reg.CLEAR_ERRORS:
            value &= ~reg.CLEAR_ERRORS
            self.errors = 0
        self._plain[address] = value
        if address == reg.CTRL2:
            self._apply_interlocks(now)

    def set_bits(self, now: SimTime, address: int, bits: int, on: bool) -> None:
        """Set or clear bits of a register."""
        held = self._plain.get(address, 0)
        self.set_plain(now, address, held | bits if on else held & ~bits)

    def _apply_interlocks(self, now: SimTime) -> None:
        if self.wired is None:
            return
        bits = self._plain.get(reg.CTRL2, 0)
        switches = self.wired.board.interlocks
        for name, bit in _SWITCHES:
            setattr(switches, name, bool(bits & bit and bits & reg.INTERLOCKS))
        switches.changed(now)
