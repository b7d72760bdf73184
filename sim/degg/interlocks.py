"""The interlocks of a mainboard: its ICM closes and opens them, the console can only read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.kernel import SimTime


class Interlocks:
    """Set the switches, then call `changed`. All but the FPGA's are open until somebody closes them."""

    def __init__(self) -> None:
        self.pmt_hv = False
        """Closed: the high voltage may be enabled."""
        self.lid = False
        """Closed: lights and cameras may be used."""
        self.mcu_flash = False
        """Closed: the flash memory may be written."""
        self.fpga_config = True
        """No ICM command sets this one."""
        self._watchers: list[Callable[[SimTime], None]] = []

    def watch(self, changed: Callable[[SimTime], None]) -> None:
        """Call whenever a switch may have changed."""
        self._watchers.append(changed)

    def changed(self, now: SimTime) -> None:
        """Somebody has set a switch."""
        for watcher in self._watchers:
            watcher(now)
