"""Figures of a mainboard that may be set in the bench file."""

from __future__ import annotations

from sim.kernel.figures import Figures, figure


class BoardFigures(Figures):
    """Of one mainboard: how long it takes, what it runs, what its slow ADC shows when all is well."""

    start_s: float = figure(
        2.0, "From power, or `reboot`, to the boot loader's first answer, wall time.", unit="s", ge=0
    )
    boot_s: float = figure(
        0.5, "How long `boot` takes in the boot loader, wall time.", unit="s", ge=0, le=2.5
    )
    configure_s: float = figure(
        4.0, "How long the FPGA takes to be configured from flash, wall time.", unit="s", ge=0, le=9.5
    )
    sensor_s: float = figure(0.05, "How long a sensor takes to answer, wall time.", unit="s", ge=0, le=2.5)
    camera_start_s: float = figure(1.0, "How long `initCamera` takes, wall time.", unit="s", ge=0, le=9)
    block_patience_s: float = figure(
        300.0, "A block whose last event would come later than this is never answered.", unit="s", gt=0
    )
    fpga_version: int = figure(
        0x110, "Version of the newest FPGA image in flash.", ge=0, lt=0xFFFF, origin="sourced"
    )
    software_version: int = figure(62, "Version of Iceboot.", ge=0, origin="sourced")
    image_bytes: int = figure(8_100_000, "Size of an FPGA image.", unit="bytes", ge=0)
    current_1v1_ma: float = figure(430.0, "Current of the 1.1 V rail.", unit="mA", ge=0)
    current_1v35_ma: float = figure(160.0, "Current of the 1.35 V rail.", unit="mA", ge=0)
    current_1v8_ma: float = figure(190.0, "Current of the 1.8 V rail.", unit="mA", ge=0)
    current_2v5_ma: float = figure(210.0, "Current of the 2.5 V rail.", unit="mA", ge=0)
    current_3v3_ma: float = figure(110.0, "Current of the 3.3 V rail.", unit="mA", ge=0)
    current_per_c: float = figure(
        0.0008, "Relative change of the currents for each degree of the board.", unit="1/C"
    )
    acquiring_ma: float = figure(35.0, "What an armed channel adds on the 1.1 V rail.", unit="mA", ge=0)
    hv_ma: float = figure(25.0, "What an enabled high voltage adds on the 3.3 V rail.", unit="mA", ge=0)
    spread: float = figure(0.04, "Spread of the currents from board to board, relative.", ge=0, le=0.1)
    rail_spread: float = figure(0.004, "Spread of the voltages from board to board, relative.", ge=0, le=0.02)
    temperature_noise_c: float = figure(0.1, "Noise of the temperature sensor.", unit="C", ge=0)
    temperature_spread_c: float = figure(
        0.7, "How far the temperatures of two sensors on a board differ.", unit="C", ge=0
    )
    light_dark_mv: float = figure(6.0, "Light sensor in the dark.", unit="mV", ge=0)
    light_lit_mv: float = figure(1800.0, "Light sensor while the freezer is open.", unit="mV", ge=0)
    light_limit_mv: float = figure(
        100.0, "Above this the light sensor does not permit high voltage.", unit="mV", gt=0
    )
