"""What is true of a module, drawn from (seed, serial number) and known to nobody but tests.

Ranges are those of fat.md section 9. Healthy modules are inside the limits of section 11: the spread of dark rates is
cut at three sigma, and saturation is drawn again until the charge ratio at 200 photoelectrons has some margin.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from sim.degg.clock import DomClock
from sim.degg.keys import generator, key_of
from sim.degg.photomultiplier.saturation import charge_ratio, current_ratio, p0_for

DARK_SIGMA: Final = 0.15
CUT_SIGMA: Final = 3.0
LEAST_CHARGE_RATIO: Final = 0.65
"""At 200 photoelectrons; the limit is 0.6."""
LEDS: Final = 12
WALK_NS: Final = 1.2
"""Spread of the moment at which single photoelectrons of all charges pass 0.25 pe: follows from pulse and spectrum.
What is measured never spreads less than this and the width at many photoelectrons together."""
V0_AT_C: Final = 20.0
"""Temperature at which `v0_volts` holds."""


@dataclass(frozen=True, slots=True)
class PmtTruth:
    """One photomultiplier, with its channel of the digitiser."""

    serial: str
    v0_volts: float
    """High voltage of a gain of 1e7 at 20 C."""
    k: float
    """Exponent of the gain law."""
    v0_per_c: float
    """Relative rise of v0 for each degree of warming."""
    spe_width: float
    """Width of the single photoelectron's charge, of its mean."""
    tail_fraction: float
    two_pe_fraction: float
    dark_factor: float
    correlated_fraction: float
    after_light_hz: float
    """Dark counts that light leaves at first."""
    mu_full: float
    """Mean photoelectrons of a laser pulse without filters, fibre included."""
    p0: float
    """Saturation, mA."""
    p1: float
    p2: float
    sigma_tt_mpe_ns: float
    sigma_tt_spe_ns: float
    transit_ns: float
    late_fraction: float
    hv_offset_volts: float
    baseline_counts: float
    """At DAC 30000."""
    noise_counts: float
    led_factors: tuple[float, ...]
    """Standard normal deviates of the LEDs' brightness."""

    def v0(self, celsius: float) -> float:
        """High voltage of a gain of 1e7 at a temperature of the glass."""
        return self.v0_volts * (1.0 + self.v0_per_c * (celsius - V0_AT_C))

    def gain(self, volts: float, celsius: float) -> float:
        """1e7 (V / V0)^k; 0 without high voltage."""
        return 1e7 * float((volts / self.v0(celsius)) ** self.k) if volts > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ModuleTruth:
    """One module: two photomultipliers and a mainboard."""

    serial: str
    channels: tuple[PmtTruth, PmtTruth]
    """0 LowerPmt, 1 UpperPmt."""
    warmth_c: float
    """How much warmer than the glass the mainboard runs."""
    icm_id: str
    """16 hex digits, lower case."""
    mainboard: str
    mainboard_id: str
    """32 hex digits."""
    flash_id: str
    """16 hex digits."""
    fpga_chip_id: str
    """16 hex digits."""
    flasher: str
    clock_offset_ns: int
    clock_ppm: float

    @classmethod
    def of(cls, seed: int, serial: str) -> ModuleTruth:
        """The module with this serial number on benches with this seed."""
        draw = generator(seed, serial, "module")
        tail = re.search(r"(\d+)$", serial)
        number = int(tail.group()) if tail else key_of(serial)
        lower, upper = (_pmt(seed, serial, channel, number) for channel in (0, 1))
        ids = [
            f"{key_of(seed, serial, name):016x}" for name in ("icm", "board 0", "board 1", "flash", "fpga")
        ]
        return cls(
            serial=serial,
            channels=(lower, upper),
            warmth_c=float(draw.uniform(10.0, 15.0)),
            icm_id=f"a4000000{ids[0][:8]}",
            mainboard=f"4.1-{number % 1000:03d}",
            mainboard_id=ids[1] + ids[2],
            flash_id=ids[3],
            fpga_chip_id=ids[4],
            flasher=f"REV2-{number % 1000:03d}",
            clock_offset_ns=int(draw.integers(1_000_000_000, 3_600_000_000_000)),
            clock_ppm=float(np.clip(draw.normal(0.0, 2.0), -8.0, 8.0)),
        )

    def clock(self) -> DomClock:
        """The mainboard's clock."""
        return DomClock(self.clock_offset_ns, self.clock_ppm)

    def as_json(self) -> dict[str, Any]:
        """All of it, and what an analysis may be compared with directly."""
        values = asdict(self)
        for values_of_channel, pmt in zip(values["channels"], self.channels, strict=True):
            law = (pmt.p0, pmt.p1, pmt.p2)
            values_of_channel["current_ratio_10_ma"] = current_ratio(*law)
            values_of_channel["charge_ratio_200_pe"] = charge_ratio(200.0, *law)
        return values


def write_truth(folder: Path, port: int, truth: ModuleTruth) -> Path:
    """Write `truth/degg_PORT.json` below the laboratory's folder, atomically; return its path."""
    path = folder / "truth" / f"degg_{port}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(truth.as_json(), indent=2) + "\n")
    os.replace(unfinished, path)
    return path


def _pmt(seed: int, serial: str, channel: int, number: int) -> PmtTruth:
    draw = generator(seed, serial, "pmt", channel)
    sigma_mpe = float(draw.uniform(2.0, 2.6))
    p0, p1, p2 = _saturation(draw)
    return PmtTruth(
        serial=f"SQ{(2 * number + channel + 392) % 10_000:04d}",
        v0_volts=float(draw.uniform(1250.0, 1550.0)),
        k=float(draw.uniform(6.5, 8.5)),
        v0_per_c=float(draw.uniform(0.0005, 0.0010)),
        spe_width=float(draw.uniform(0.30, 0.35)),
        tail_fraction=float(draw.uniform(0.10, 0.14)),
        two_pe_fraction=float(draw.uniform(0.01, 0.02)),
        dark_factor=float(np.exp(DARK_SIGMA * _cut_normal(draw))),
        correlated_fraction=float(draw.uniform(0.13, 0.17)),
        after_light_hz=float(draw.uniform(500.0, 1500.0)),
        mu_full=float(draw.uniform(250.0, 600.0)),
        p0=p0,
        p1=p1,
        p2=p2,
        sigma_tt_mpe_ns=sigma_mpe,
        sigma_tt_spe_ns=max(2.4, sigma_mpe + float(draw.uniform(0.2, 0.4)), math.hypot(sigma_mpe, WALK_NS)),
        transit_ns=65.0 + 5.0 / CUT_SIGMA * _cut_normal(draw),
        late_fraction=0.05,
        hv_offset_volts=5.0 * _cut_normal(draw),
        baseline_counts=8000.0 + 20.0 * _cut_normal(draw),
        noise_counts=float(draw.uniform(2.0, 3.0)),
        led_factors=tuple(_cut_normal(draw) for _ in range(LEDS)),
    )


def _cut_normal(draw: np.random.Generator) -> float:
    while True:
        value = float(draw.normal())
        if abs(value) <= CUT_SIGMA:
            return value


def _saturation(draw: np.random.Generator) -> tuple[float, float, float]:
    while True:
        ratio, p1, p2 = draw.uniform(0.70, 0.95), float(draw.uniform(5.0, 9.0)), float(draw.uniform(3.0, 8.0))
        p0 = p0_for(float(ratio), p1, p2)
        if charge_ratio(200.0, p0, p1, p2) >= LEAST_CHARGE_RATIO:
            return p0, p1, p2
