"""The FPGA of a mainboard: which version runs, and the memory that self-tests write and read."""

from __future__ import annotations

from typing import Final

from sim.degg.flash import FlashDirectory
from sim.degg.refusal import Refused
from sim.kernel import FaultBoard

UNCONFIGURED: Final = 0xFFFF
ADDRESSES: Final = 1 << 16


class Fpga:
    """Volatile: without power, after `reboot` and after a failed attempt it has no configuration."""

    def __init__(self, version: int, faults: FaultBoard) -> None:
        self._faults = faults
        self._version: int | None = version
        self._memory: dict[int, int] = {}

    def configured(self) -> bool:
        """Whether anything runs."""
        return self._version is not None and self._faults.strike("unconfigured_fpga") is None

    def version(self) -> int:
        """The running version, or 65535."""
        if not self.configured():
            return UNCONFIGURED
        wrong = self._faults.strike("wrong_fpga")
        if wrong is not None:
            return int(wrong.parameters["version"]) & 0xFFFF
        return UNCONFIGURED if self._version is None else self._version

    def forget(self) -> None:
        """Lose the configuration."""
        self._version = None
        self._memory.clear()

    def configure(self, flash: FlashDirectory, name: str) -> None:
        """Run an image from flash; that also mends the faults of the running configuration. Raises Refused."""
        version = flash.version_of(name)
        self.forget()
        if self._faults.strike("refuse_configuration") is not None:
            raise Refused("configuration failed")
        self._version = version
        for mended in ("wrong_fpga", "unconfigured_fpga"):
            if self._faults.is_on(mended):
                self._faults.switch_off(mended)

    def write(self, address: int, words: list[int]) -> None:
        """Write words of 16 bits. Raises Refused."""
        self._check(address, len(words))
        self._memory.update(enumerate((word & 0xFFFF for word in words), start=address))

    def read(self, address: int, count: int) -> list[int]:
        """Read them back; what was never written is 0. Raises Refused."""
        self._check(address, count)
        return [self._memory.get(at, 0) for at in range(address, address + count)]

    def _check(self, address: int, count: int) -> None:
        if not 0 <= address <= address + count <= ADDRESSES:
            raise Refused(f"bad address {address}")
