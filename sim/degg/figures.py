"""Figures of the optical modules that may be set in the bench file, `[sim.devices.NAME.figures]`."""

from __future__ import annotations

from sim.kernel.figures import Figures, figure


class PhotomultiplierFigures(Figures):
    """Of photomultipliers, high voltage, flasher and digitiser. What reference and published code give is no field."""

    # high voltage
    ramp_v_per_s: float = figure(50.0, "Ramp of the high voltage.", unit="V/s", gt=0)
    read_noise_v: float = figure(0.3, "Noise of the high voltage's read-back.", unit="V", ge=0)
    divider_mohm: float = figure(
        130.0, "Resistance of the divider; it sets the read-back current.", unit="MOhm", gt=0
    )
    # spectrum of single photoelectrons
    tail_scale: float = figure(
        0.22, "Mean of the exponential part of the charge spectrum, cut at 1.", unit="pe", gt=0
    )
    late_mean_ns: float = figure(12.0, "Mean delay of a late photoelectron.", unit="ns", gt=0)
    laser_width_ns: float = figure(0.05, "Length (sigma) of a laser pulse.", unit="ns", ge=0)
    # dark counts
    dark_floor_hz: float = figure(1350.0, "Dark rate that no cold takes away.", unit="Hz", ge=0)
    dark_thermal_hz: float = figure(4300.0, "Thermal dark rate at 20 C.", unit="Hz", ge=0)
    dark_scale_c: float = figure(17.0, "Warming that raises the thermal dark rate e-fold.", unit="C", gt=0)
    noise_share: float = figure(
        0.35, "Rate of electronic noise at 0.25 pe, ADC trigger, as a share of the dark rate.", ge=0
    )
    noise_scale_counts: float = figure(
        2.4, "A threshold higher by so much sees e times less electronic noise.", unit="counts", gt=0
    )
    correlated_median_us: float = figure(10.0, "Median delay of a correlated pulse.", unit="us", gt=0)
    correlated_sigma: float = figure(1.1, "Width of the logarithm of that delay; cut to 1..100 us.", gt=0)
    after_light_min: float = figure(
        30.0, "Decay time of the dark counts that light leaves.", unit="min", gt=0
    )
    # flasher
    led_delay_ns: float = figure(
        480.0, "From the calibration trigger to the light of an LED.", unit="ns", ge=0
    )
    led_pe: float = figure(4.0, "Mean photoelectrons of an LED at bias 0x5000.", unit="pe", gt=0)
    led_off_bias: int = figure(0x4800, "Bias below which an LED gives no light.", unit="DAC", ge=0)
    led_spread: float = figure(0.15, "Spread of the LEDs' brightness (log-normal sigma).", ge=0)
    led_width_ns: float = figure(2.0, "Length (sigma) of an LED's flash.", unit="ns", ge=0)
    # digitiser
    counts_per_dac: float = figure(0.25, "Change of the baseline for each step of its DAC.", unit="counts")
    rearm_ticks: int = figure(8, "Clock cycles from the end of a record until the next trigger.", ge=0)
    buffer_s: float = figure(
        1.0, "Events that nobody fetched are kept for so long; older ones are lost.", unit="s", gt=0
    )
    block_wait_s: float = figure(
        5.0,
        "A block of waveforms that is not full after this time is closed with what it has.",
        unit="s",
        gt=0,
    )
    patience_s: float = figure(
        60.0, "A block of charge stamps without a new event for so long never comes.", unit="s", gt=0
    )
    sync_counts: float = figure(
        4000.0, "Height of the laser's sync pulse at the tabletop mainboard.", unit="counts", gt=0
    )
    sync_jitter_ns: float = figure(0.3, "Jitter of the sync pulse.", unit="ns", ge=0)
