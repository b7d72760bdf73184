"""Light from the generator to the photoelectrons, through the instruments' own lines, in skip mode."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from fat.bench.client import ClockClient
from fat.bench.owned import OwnedBench

BENCH = """
[bench]
name = "lab"
seed = 5
data_dir = "unused"

[sim.clock]
mode = "skip"
epoch = 2026-01-01T00:00:00Z

[sim.devices.lab]
kind = "lab"
modules = { count = 1 }
"""
STAMP = struct.Struct("<BBH6sf")
"""Charge stamp of peripherals.md: version, channel, discriminator, 48-bit time, charge in coulomb."""
PROMPT = b"\r\n> "
TICKS_PER_S = 240e6


@dataclass
class Operator:
    """Somebody at the instruments."""

    endpoints: dict[str, Any]
    clock: ClockClient
    lines: Any

    def state(self) -> Any:
        return httpx.get(f"{self.endpoints['lab.page']}/state").json()

    def pass_s(self, seconds: float) -> None:
        self.clock.wait_until(self.clock.now_ns() + int(seconds * 1e9))

    def tell(self, part: str, *commands: str) -> None:
        """SCPI commands, and a question behind them, so that they have been done."""
        with self.lines.line(self.endpoints[f"lab.{part}"]) as line:
            assert line.ask("\n".join([*commands, "*OPC?\n"]).encode()).strip() == b"1"

    def wheel(self, number: int, position: int) -> None:
        with self.lines.line(self.endpoints[f"lab.filter_wheel_{number}"]) as line:
            line.ask(f"pos={position}\r".encode(), end=b"> ")
            assert line.ask(b"pos?\r", end=b"> ") == f"pos?\r{position}\r> ".encode()

    def console(self, port: int, *commands: str) -> list[bytes]:
        with self.lines.line(self.endpoints[f"degg.{port}"]) as line:
            return [line.ask(f"{command}\r\n".encode(), end=PROMPT) for command in commands]

    def stamps(self, port: int, n: int) -> list[tuple[float, float]]:
        """Times (s) and charges (pC) of charge stamps of channel 0."""
        command = f"{n * STAMP.size} 10 15 readDEggChargeBlock\r\n".encode()
        with self.lines.line(self.endpoints[f"degg.{port}"]) as line:
            line.write(command)
            wanted, got = len(command) + n * STAMP.size + len(PROMPT), b""
            while len(got) < wanted:
                more = line.read(10.0)
                assert more, got[:200]
                got += more
        found = [STAMP.unpack_from(got, len(command) + i * STAMP.size) for i in range(n)]
        return [
            (int.from_bytes(ticks, "little") / TICKS_PER_S, charge * 1e12) for _, _, _, ticks, charge in found
        ]


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory, lab_lines: Any) -> Iterator[Operator]:
    folder: Path = tmp_path_factory.mktemp("lab")
    (folder / "lab.toml").write_text(BENCH)
    with (
        OwnedBench(folder / "lab.toml", data_dir=folder / "data", log=folder / "bench.log") as bench,
        ClockClient(bench.endpoints["clock"], "operator") as clock,
    ):
        yield Operator(bench.endpoints, clock, lab_lines)


@pytest.fixture
def lit(operator: Operator) -> Operator:
    operator.tell("power_supply", "APPL P25V,12,0.5", "OUTP ON")
    operator.tell("function_generator", "SOUR1:FUNC SQU;FREQ 100", "SOUR1:VOLT:AMPL 3VPP", "OUTP1:STAT ON")
    for wheel in (0, 1):
        operator.wheel(wheel, 1)
    return operator


def test_instruments_at_their_lines_make_the_light(lit: Operator) -> None:
    light = lit.state()["light"]
    assert light["why_dark"] is None
    assert (light["sync_hz"], light["strength"]) == (100.0, 1.0)
    # Strengths of the FAT: wheel 0 has 1, 0.05, 0.25, 0.32; wheel 1 has 1, 0.5, 0.1, 0.01.
    for first, second, strength in [(2, 2, 0.025), (3, 1, 0.25), (4, 4, 0.0032), (1, 3, 0.1)]:
        lit.wheel(0, first)
        lit.wheel(1, second)
        assert lit.state()["light"]["strength"] == pytest.approx(strength)
    lit.tell("function_generator", "SOUR1:BURS:STAT ON;:SOUR1:BURS:NCYC 2")
    assert lit.state()["light"]["generator"]["pulses"] == 2
    lit.tell("function_generator", "SOUR1:BURS:STAT OFF")


@pytest.mark.parametrize("volts", [11.0, 13.0])
def test_a_supply_outside_its_window_takes_light_and_sync(lit: Operator, volts: float) -> None:
    lit.tell("power_supply", "INST P25V", f"VOLT {volts}")
    light = lit.state()["light"]
    assert (light["fires"], light["sync_hz"], light["strength"]) == (False, None, 0.0)
    assert f"{volts:.2f} V" in light["why_dark"]
    lit.tell("power_supply", "VOLT 12")
    assert lit.state()["light"]["sync_hz"] == 100.0


def test_the_tabletop_mainboard_counts_the_lasers_pulses(lit: Operator) -> None:
    lit.console(10007, "boot", "endStream", "0 9000 0 startDEggWfmStream")
    times = [time for time, _ in lit.stamps(10007, 50)]
    spacings = [after - before for before, after in pairwise(times)]
    # Window of check_laser_freq for 100 Hz.
    assert min(spacings) > 9.9e-3
    assert max(spacings) < 10.1e-3
    lit.tell("function_generator", "OUTP1:STAT OFF")
    lit.pass_s(1.0)
    assert lit.state()["light"]["sync_hz"] is None
    assert b"0" in lit.console(10007, "0 100000 24 enableScalers", "0 getScalerCount .s drop")[1]


def test_moving_a_wheel_scales_the_charge_of_a_module(lit: Operator) -> None:
    with lit.lines.Requests(lit.endpoints["icm.6000"]) as wire_pair:
        assert wire_pair.command(command="pmt_hv_enable")["status"] == "OK"
    lit.console(5000, "boot", "0 enableHV", "0 1400 setDEggHV")
    lit.pass_s(40.0)
    mean = {}
    lit.console(5000, "65 30000 setDAC")
    lit.wheel(0, 2)
    for position, strength in ((2, 0.5), (1, 1.0)):
        lit.wheel(1, position)
        # 200 counts above the baseline of 8000: dark counts stay below.
        lit.console(5000, "endStream", "0 8200 0 startDEggWfmStream")
        charges = [charge for _, charge in lit.stamps(5000, 300)]
        mean[strength] = sum(charges) / len(charges)
    # Few enough photoelectrons that saturation takes little.
    assert mean[1.0] / mean[0.5] == pytest.approx(2.0, rel=0.1)
