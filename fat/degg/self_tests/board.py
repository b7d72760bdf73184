"""Self-tests of sensors, supplies, memories and high voltage."""

from __future__ import annotations

import re
from math import hypot
from typing import Final

from fat.degg.self_tests.subject import Finding, Subject
from fat.degg.station import ModuleRefused
from fat.degg.station.board import SENSOR_TIMEOUT_S, SLOW_ADC

GRAVITY: Final = (9.3, 10.3)
"""m/s2, as an accelerometer at rest gives it."""
FIELD_UT: Final = (15.0, 90.0)
"""The earth's, with what a module adds."""
PRESSURE_HPA: Final = (200.0, 700.0)
"""A vessel is sealed at about half an atmosphere; at -40 C it has 20 % less."""
CURRENTS_MA: Final = {0: 1000.0, 1: 400.0, 2: 400.0, 3: 500.0, 4: 300.0}
"""Limits of monitoring (fat.md section 8), by channel of the slow ADC."""
RAILS_V: Final = {5: 1.8, 12: 1.1, 13: 1.35, 14: 2.5, 15: 3.3}
RAIL_SHARE: Final = 0.05
DARK_MV: Final = 100.0
"""Above it the light sensor does not permit high voltage."""
TEMPERATURES_C: Final = 3.0
"""So far sensors of one board may differ."""
TEMPERATURE_READS: Final = 4
_CELSIUS: Final = re.compile(r"(-?\d+\.\d+) C")
ICM_TEMPERATURE: Final = 0xE2
HV_READS: Final = 10
HV_OFF_V: Final = 50.0
HV_MOST_V: Final = 2000.0
HV_SPREAD: Final = 0.02
MEMORY_PAGES: Final = 16
PATTERN: Final = (0x0000, 0xFFFF, 0x5555, 0xAAAA, 0x1234, 0x8001, 0x0F0F, 0xF0F0)
DPRAM_ADDRESSES: Final = (0, 1024, 2040)


def accelerometer(subject: Subject) -> Finding:
    """At rest it shows gravity, mostly along z."""
    x, y, z = subject.module.acceleration()
    found = Finding({"x": x, "y": y, "z": z})
    found.demand_within("acceleration", hypot(x, y, z), *GRAVITY, "m/s2")
    found.demand(abs(z) > hypot(x, y), "the module does not stand upright")
    return found


def magnetometer(subject: Subject) -> Finding:
    """It shows a field like the earth's."""
    x, y, z = (value * 1e6 for value in subject.module.magnetic_field())
    found = Finding({"x": x, "y": y, "z": z})
    found.demand_within("field", hypot(x, y, z), *FIELD_UT, "uT")
    return found


def pressure(subject: Subject) -> Finding:
    """The vessel is sealed at less than an atmosphere."""
    found = Finding()
    found.demand_within("pressure", subject.module.pressure(), *PRESSURE_HPA, "hPa")
    return found


def temperature_compare(subject: Subject) -> Finding:
    """Five sensors on the board, the ICM's too, agree."""
    console = subject.module.console
    board = [subject.module.temperature() for _ in range(TEMPERATURE_READS)]
    values = {"board": sum(board) / len(board)}
    for name, word in (
        ("accelerometer", "getAccelerationTemperature"),
        ("magnetometer", "getBFieldTemperature"),
        ("pressure sensor", "getPressureSensorTemperature"),
    ):
        said = console.ask(
            " ".join([f"{word} printSensorsTemperature"] * TEMPERATURE_READS), SENSOR_TIMEOUT_S
        )
        values[name] = _mean_celsius(subject, word, said)
    register = console.number(f"{ICM_TEMPERATURE} icmReadReg")
    values["ICM"] = (register >> 4) * 503.975 / 4096 - 273.15
    found = Finding({name: round(value, 3) for name, value in values.items()})
    found.demand_within("difference", max(values.values()) - min(values.values()), 0.0, TEMPERATURES_C, "C")
    return found


def _mean_celsius(subject: Subject, word: str, said: str) -> float:
    """Mean of what a sensor printed, such as `31.907 C` some times."""
    reads = [float(value) for value in _CELSIUS.findall(said)]
    if not reads:
        raise ModuleRefused(subject.module.name, word, said.strip() or "nothing")
    return sum(reads) / len(reads)


def light_sensor(subject: Subject) -> Finding:
    """It is dark, and the sensor permits high voltage then."""
    found = Finding()
    found.demand_within("light", subject.module.slow_adc(6), -1.0, DARK_MV, "mV")
    found.demand(subject.module.light_permits_hv(), "the light sensor does not permit high voltage")
    return found


def low_voltage_power(subject: Subject) -> Finding:
    """Currents of the five low voltages."""
    readings, found = subject.module.slow_adc_all(), Finding()
    for channel, most in CURRENTS_MA.items():
        found.demand_within(SLOW_ADC[channel], readings.get(channel, -1.0), 1.0, most, "mA")
    return found


def rails(subject: Subject) -> Finding:
    """Five low voltages."""
    readings, found = subject.module.slow_adc_all(), Finding()
    for channel, volts in RAILS_V.items():
        low, high = volts * (1 - RAIL_SHARE), volts * (1 + RAIL_SHARE)
        found.demand_within(SLOW_ADC[channel], readings.get(channel, -1.0), low, high, "V")
    return found


def hv_monitor(channel: int, subject: Subject) -> Finding:
    """The read-back is steady where high voltage is on, and nothing where it is off."""
    module, found = subject.module, Finding()
    on = module.hv_enabled(channel)
    reads = [module.read_hv(channel) for _ in range(HV_READS)]
    mean = sum(reads) / len(reads)
    spread = (sum((value - mean) ** 2 for value in reads) / (len(reads) - 1)) ** 0.5
    found.values |= {"enabled": on, "current_ua": module.read_current(channel)}
    found.demand_within("mean", mean, -HV_OFF_V, HV_MOST_V if on else HV_OFF_V, "V")
    if on and mean > HV_OFF_V:
        found.demand_within("spread", spread / mean, 0.0, HV_SPREAD, "of it")
    return found


def flash(subject: Subject) -> Finding:
    """The FPGA runs the version that the run recorded, and its image is the newest file in flash."""
    module, found = subject.module, Finding()
    files, version = module.flash_files(), module.fpga_version()
    newest = files[-1].name if files else ""
    found.values |= {
        "newest": newest,
        "files": len(files),
        "fpga_version": version,
        "flash_id": module.flash_id(),
    }
    found.demand(bool(files), "there is no file in flash")
    found.demand(
        version == subject.fpga_version,
        f"the FPGA runs version {version:#x} and not {subject.fpga_version:#x}, which the run recorded",
    )
    found.demand(
        newest.endswith(f"{subject.fpga_version:#x}.rbf"),
        f"the newest file in flash is {newest or 'missing'}",
    )
    return found


def fpga_memory(subject: Subject) -> Finding:
    """The memory behind the FPGA: a 1 for each lane that is good."""
    said = subject.module.console.ask(f"{MEMORY_PAGES} memtest", 30.0)
    words = said.replace(",", " ").split()
    found = Finding({"said": said.strip()[:200]})
    found.demand(words[2:3] == ["1"] and words[4:5] == ["1"], f"memtest says {said.strip()[:80]!r}")
    return found


def dpram(subject: Subject) -> Finding:
    """What is written to the FPGA's memory is read back."""
    found = Finding({"words": len(PATTERN) * len(DPRAM_ADDRESSES)})
    console, count = subject.module.console, len(PATTERN)
    # The stack's top is the last word.
    words = " ".join(map(str, PATTERN))
    for address in DPRAM_ADDRESSES:
        console.do(f"{words} {count} {address} fpgaWrite")
        said = console.ask(f"{count} {address} printFPGA").split()
        found.demand(said == words.split(), f"at {address} {' '.join(said)[:60]} was read for {words}")
    return found
