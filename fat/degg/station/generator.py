"""The function generator that triggers the laser: Tektronix AFG3101C (AFG3000 SCPI)."""

from __future__ import annotations

from typing import Final

from fat.degg.station.errors import InstrumentRefused
from fat.degg.station.scpi import ScpiInstrument

BURST_HZ: Final = 50e6
"""Two pulses 20 ns apart."""
AMPLITUDE_VPP: Final = 3.0


class FunctionGenerator(ScpiInstrument):
    """The laser's trigger."""

    def __init__(self, address: str) -> None:
        super().__init__("the function generator", address)

    def pulses(self, hertz: float) -> None:
        """Square pulses at a rate, output on: 100 Hz for most measurements, 500 Hz for transit times."""
        self.do(
            "OUTP1:STAT OFF",
            "SOUR1:BURS:STAT OFF",
            "SOUR1:FUNC:SHAP SQU",
            f"SOUR1:FREQ {hertz:.6E}",
            "SOUR1:VOLT:UNIT VPP",
            f"SOUR1:VOLT:AMPL {AMPLITUDE_VPP:g}VPP",
            "SOUR1:VOLT:OFFS 0",
            "OUTP1:STAT ON",
        )
        if not self.is_on():
            raise InstrumentRefused(self.name, "OUTP1:STAT ON", "the output stays off")

    def bursts(self, cycles: int, hertz: float, period_s: float) -> None:
        """Bursts of *cycles* pulses at *hertz*, one every *period_s*: two at 50 MHz for double pulses."""
        self.do(
            "OUTP1:STAT OFF",
            "SOUR1:FUNC:SHAP SQU",
            f"SOUR1:FREQ {hertz:.6E}",
            "SOUR1:VOLT:UNIT VPP",
            f"SOUR1:VOLT:AMPL {AMPLITUDE_VPP:g}VPP",
            "SOUR1:VOLT:OFFS 0",
            "SOUR1:BURS:MODE TRIG",
            f"SOUR1:BURS:NCYC {cycles}",
            "SOUR1:BURS:STAT ON",
            f"TRIG:TIM {period_s:.6E}",
            "OUTP1:STAT ON",
        )

    def off(self) -> None:
        """No pulses, no light. Raises InstrumentRefused when the output stays on."""
        self.do("OUTP1:STAT OFF")
        if self.is_on():
            raise InstrumentRefused(self.name, "OUTP1:STAT OFF", "the output stays on")

    def is_on(self) -> bool:
        """Whether the output is on."""
        return self.ask("OUTP1:STAT?") in ("1", "ON")

    def frequency(self) -> float:
        """Hz."""
        return self.number("SOUR1:FREQ?")
