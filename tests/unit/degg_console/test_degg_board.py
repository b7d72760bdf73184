"""Slow ADC, DAC, sensors, lights and memory of a board, asked over its console."""

from __future__ import annotations

from typing import Any

import pytest

from sim.kernel import NS_PER_S, SimTime

PROMPT = b"\r\n> "


def test_slow_adc(bench: Any) -> None:
    # peripherals.md: "fourth word is the value: e.g. `Channel 7 : -39.500 C`"; one line per channel
    words = bench.ask("7 sloAdcReadChannel").split()
    assert (*words[:3], words[4]) == ("Channel", "7", ":", "C")
    assert float(words[3]) == pytest.approx(20.0, abs=1.0)
    lines = bench.ask("sloAdcReadAll").split("\r\n")
    assert [int(line.split()[1]) for line in lines] == list(range(16))
    assert [line.split()[4] for line in lines] == [
        *["mA"] * 5,
        *["V", "mV", "C"],
        *["V", "uA"] * 2,
        *["V"] * 4,
    ]
    values = [float(line.split()[3]) for line in lines]
    for value, limit in zip(values[:5], (1000, 400, 400, 500, 300), strict=True):  # fat.md section 8
        assert 0 < value < limit
    rails = [values[5], *values[12:]]
    assert rails == pytest.approx([1.8, 1.1, 1.35, 2.5, 3.3], rel=0.02)
    assert bench.ask("16 sloAdcReadChannel") == "sloAdcReadChannel: FAIL"


def test_currents_rise_with_what_is_on(bench: Any) -> None:
    def current(number: int) -> float:
        return float(bench.ask(f"{number} sloAdcReadChannel").split()[3])

    idle = current(0), current(4)
    bench.close_interlocks()
    bench.ask("0 1500 setDEggHV 0 enableHV 1 1500 setDEggHV 1 enableHV")
    bench.ask("8050 8050 3 startDEggWfmStream")
    assert current(0) > idle[0] + 40
    assert current(4) > idle[1] + 30
    assert float(bench.ask("8 sloAdcReadChannel").split()[3]) == 1500.0
    assert float(bench.ask("11 sloAdcReadChannel").split()[3]) == 15.0


def test_dac_and_baseline(bench: Any) -> None:
    assert bench.ask("65 30000 setDAC") == bench.ask("66 5000 setDAC") == bench.ask("68 100 setDAC") == ""
    assert bench.channels[0].told == [("dac", 30000)]
    assert bench.channels[1].told == [("dac", 5000)]
    assert bench.ask("65 65536 setDAC") == "setDAC: FAIL, bad value 65536"
    assert bench.ask("1 1 setDAC") == "setDAC: FAIL, bad channel 1"
    assert bench.ask("0 calibrateDEggBaseline") == '{"slope": 0.25, "intercept": 0.0, "isValid": true}'
    assert bench.channels[0].told[-1] == ("dac", 30000)


def test_domclock_counts_240_mhz_in_two_halves(bench: Any) -> None:
    bench.now = 100 * NS_PER_S
    low, high = map(int, bench.ask("domClock .s drop drop").split()[1:])
    assert low | high << 32 == 24_000_000_000


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("getPressure printPressure", "512.25 hPa"),
        ("getBFieldXYZ printBFieldXYZ", "(0.000010000, -0.000020000, 0.000040000) T"),
        ("getAccelerationXYZ printAccelerationXYZ", "(0.0100, -0.0200, 9.8100) m/s2"),
    ],
)
def test_sensors(bench: Any, command: str, answer: str) -> None:
    assert bench.ask(command) == answer


@pytest.mark.parametrize("sensor", ["Acceleration", "BField", "PressureSensor"])
def test_sensors_agree_on_the_temperature(bench: Any, sensor: str) -> None:
    value, unit = bench.ask(f"get{sensor}Temperature printSensorsTemperature").split()
    assert (unit, float(value)) == ("C", pytest.approx(20.0, abs=3.0))


def test_flasher_needs_the_lid_interlock_power_and_trigger(bench: Any) -> None:
    assert bench.ask("1 setFlasherMask") == "setFlasherMask: FAIL, LID interlock not set"
    assert bench.ask("enableCalibrationPower") == "enableCalibrationPower: FAIL, LID interlock not set"
    bench.close_interlocks()
    for command in ("enableCalibrationPower", "20480 setFlasherBias", "0x004 setFlasherMask"):
        assert bench.ask(command) == ""
    assert [told for told in bench.channels[0].told if told[0] == "flash"] == []
    assert bench.ask("1000 enableCalibrationTrigger") == ""
    for channel in bench.channels:
        assert channel.told[-1] == ("flash", 4, 0x5000, 1000.0)
    bench.ask("disableCalibrationPower")
    assert bench.channels[0].told[-1][3] is None
    told = len(bench.channels[0].told)
    bench.ask("0x004 setFlasherMask 1000 enableCalibrationTrigger")  # without power
    assert len(bench.channels[0].told) == told
    bench.ask("enableCalibrationPower")
    bench.board.interlocks.lid = False
    bench.board.interlocks.changed(SimTime(bench.now))
    assert bench.channels[0].told[-1][3] is None


def test_camera_image_is_exact_in_length(bench: Any) -> None:
    bench.close_interlocks()
    assert bench.ask("2 initCamera") == "initCamera: FAIL, camera 2 has no supply"
    bench.ask("enableCalibrationPower 0x04 setCameraEnableMask")
    assert bench.ask("2 captureCameraImage") == "captureCameraImage: FAIL, camera 2 is not ready"
    assert bench.cameras[2].light(SimTime(0)) == 0.0
    bench.ask("0x0c setCameraEnableMask")  # with its LED
    assert bench.cameras[1].light(SimTime(0)) == 1.0
    bench.ask("2 initCamera 2 300 setCameraGain 2 3700 setCameraExposureMs")
    assert bench.ask("2 captureCameraImage") == ""
    assert bench.cameras[2].taken == [(300, 3700)]
    assert bench.ask("2 cameraImageSize .s drop") == "<1> 9 "
    line = b"2 sendCameraImage\r\n"
    assert bench.ask_raw(line) == line + b"\r\n> image" + PROMPT
    assert bench.ask("2 getCameraID") == "0x0123456789abcdef"
    assert bench.ask("2 301 setCameraGain") == "setCameraGain: FAIL, bad gain 301"
    assert bench.ask("1 getCameraID") == "getCameraID: FAIL, camera 1 has no supply"
    assert bench.ask("4 getCameraID") == "getCameraID: FAIL, no camera 4"


def test_memory_of_the_fpga_and_registers_of_the_adcs(bench: Any) -> None:
    # as the public self-tests do it: 32 words at a time, read back as numbers and as bytes
    pattern = [0x5555, 0xAAAA] * 16
    assert bench.ask(f"{' '.join(map(str, pattern))} 32 2016 fpgaWrite") == ""
    assert [int(word) for word in bench.ask("32 2016 printFPGA").split()] == pattern
    line = b"2 2016 dumpFPGA\r\n"
    assert bench.ask_raw(line) == line + b"\x55\x55\xaa\xaa" + PROMPT
    words = bench.ask("16 memtest").replace(",", "").split()
    assert (words[2], words[4]) == ("1", "1")
    assert bench.ask("0 37 129 writeADS4149 0 37 readADS4149 .s drop") == "<1> 129 "
    assert bench.ask("5 65530 fpgaWrite") == "Stack underflow"
