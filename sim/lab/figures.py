"""Figures of the laboratory that may be set in the bench file, `[sim.devices.NAME.figures]`."""

from __future__ import annotations

from typing import Literal

from sim.degg.board_figures import BoardFigures
from sim.degg.camera_figures import CameraFigures, SensorFigures
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.icm_figures import WirePairFigures
from sim.kernel.figures import Figures, figure


class LightFigures(Figures):
    """Of the light path."""

    supply_min_v: float = figure(
        11.4, "Below this voltage of its supply the laser does not fire.", unit="V", ge=0
    )
    supply_max_v: float = figure(
        12.6, "Above this voltage of its supply the laser does not fire.", unit="V", ge=0
    )
    trigger_min_vpp: float = figure(2.0, "Smallest amplitude that triggers the laser head.", unit="Vpp", ge=0)


class ColdFigures(Figures):
    """Of the cold path."""

    start_c: float = figure(20.0, "Temperature of everything when the bench begins.", unit="C")
    room_c: float = figure(22.0, "Temperature of the laboratory.", unit="C")
    min_c: float = figure(-57.0, "Lowest set-point of the freezer.", unit="C", origin="sourced")
    max_c: float = figure(30.0, "Highest set-point of the freezer.", unit="C", origin="sourced")
    air_lag_h: float = figure(3.0, "Lag of the air in the box behind the freezer.", unit="h", gt=0)
    open_lag_h: float = figure(
        0.2, "Lag of the air in the box behind the laboratory while it is open.", unit="h", gt=0
    )
    glass_lag_h: float = figure(3.01, "Lag of the glass behind the air.", unit="h", gt=0)
    board_lag_h: float = figure(0.5, "Lag with which a mainboard warms up.", unit="h", gt=0)
    humidity_open: float = figure(45.0, "Relative humidity of the laboratory.", unit="%", ge=0, le=100)
    humidity_closed: float = figure(
        30.0, "Relative humidity of the closed box at the laboratory's temperature.", unit="%"
    )
    humidity_per_c: float = figure(0.45, "Change of it for each degree of cooling.", unit="%/C")
    humidity_lag_h: float = figure(0.1, "Lag of the humidity.", unit="h", gt=0)


class FreezerFigures(Figures):
    """Of the freezer's panel and of the protocols that it can be controlled by."""

    thermotron_identity: str = figure("3800", "What a Thermotron answers to IDEN?.", origin="sourced")
    thermotron_min_c: float = figure(
        -55.0, "Lowest set-point that a Thermotron takes.", unit="C", origin="sourced"
    )
    thermotron_max_c: float = figure(
        150.0, "Highest set-point that a Thermotron takes.", unit="C", origin="sourced"
    )
    thermotron_gap_s: float = figure(
        1.0, "Pause that a Thermotron wants between two messages.", unit="s", origin="sourced", ge=0
    )
    julabo_version: str = figure(
        "JULABO HIGHTECH FL SL VERSION 4.2", "What a Julabo answers to version.", origin="general knowledge"
    )
    julabo_ending: Literal["crlf", "lf"] = figure(
        "crlf", "What ends a Julabo's answers; sources differ.", origin="general knowledge"
    )
    julabo_gap_s: float = figure(
        0.25, "Pause that a Julabo wants between two messages.", unit="s", origin="sourced", ge=0
    )
    espec_type: str = figure(
        "T,T,SCP-220,100.0", "What an ESPEC answers to TYPE?.", origin="general knowledge"
    )
    espec_rom: str = figure("SCP-220 2.00", "What an ESPEC answers to ROM?.", origin="general knowledge")
    espec_high_c: float = figure(
        100.0, "Upper alarm of an ESPEC at the beginning.", unit="C", origin="general knowledge"
    )
    espec_low_c: float = figure(
        -75.0, "Lower alarm of an ESPEC at the beginning.", unit="C", origin="general knowledge"
    )
    lake_shore_serial: str = figure(
        "LSA23DF", "Serial number of the Lake Shore monitor.", origin="general knowledge"
    )
    lake_shore_version: str = figure(
        "1.0", "Firmware version of the Lake Shore monitor.", origin="general knowledge"
    )
    long_press_s: float = figure(
        3.0, "So long the set key must be held to enter set mode; clients hold it 4 s.", unit="s", gt=0
    )
    min_press_s: float = figure(
        0.05, "Shorter presses of a key are not seen; clients hold keys 0.1 s.", unit="s", ge=0
    )
    min_gap_s: float = figure(
        0.05, "A key that is pressed again sooner counts as held on; clients wait 0.3 s.", unit="s", ge=0
    )
    set_mode_s: float = figure(
        60.0, "So long after the last key the panel leaves set mode and changes nothing.", unit="s", gt=0
    )


class ScpiFigures(Figures):
    """Of the instruments that speak SCPI and the box before their bus."""

    afg_identity: str = figure(
        "TEKTRONIX,AFG3101C,C010101,SCPI:99.0 FV:3.2.2", "Answer of the function generator to *IDN?."
    )
    afg_errors: int = figure(32, "Entries of its error queue.", origin="general knowledge", ge=16)
    agilent_identity: str = figure(
        "Agilent Technologies,33220A,MY44000101,2.07-2.06-22-2",
        "Answer to *IDN? of a function generator of the other make.",
        origin="general knowledge",
    )
    supply_identity: str = figure(
        "HEWLETT-PACKARD,E3631A,0,2.1-5.0-1.0", "Answer of the laser supply to *IDN?.", origin="sourced"
    )
    laser_load_ohm: float = figure(40.0, "What the laser head is to its supply.", unit="ohm", gt=0)
    box_reset_s: float = figure(
        5.0, "How long the GPIB box is at its reset.", unit="s", origin="sourced", ge=0
    )


class WheelFigures(Figures):
    """Of the filter wheels."""

    fast_step_s: float = figure(
        0.4, "Time of one step with `speed=1`.", unit="s", origin="general knowledge", ge=0, le=60
    )
    slow_step_s: float = figure(
        0.8, "Time of one step with `speed=0`.", unit="s", origin="general knowledge", ge=0, le=60
    )


class HumidityFigures(Figures):
    """Of the humidity sensors."""

    heater_c: float = figure(5.0, "What a sensor's heater warms it by.", unit="C", ge=0)
    heater_dries_to: float = figure(
        0.75, "Share of the relative humidity that a heated sensor still shows.", ge=0, le=1
    )


class LabFigures(Figures):
    """All of them."""

    light: LightFigures = LightFigures()
    cold: ColdFigures = ColdFigures()
    freezer: FreezerFigures = FreezerFigures()
    scpi: ScpiFigures = ScpiFigures()
    wheel: WheelFigures = WheelFigures()
    humidity: HumidityFigures = HumidityFigures()
    board: BoardFigures = BoardFigures()
    photomultiplier: PhotomultiplierFigures = PhotomultiplierFigures()
    wire_pairs: WirePairFigures = WirePairFigures()
    cameras: CameraFigures = CameraFigures()
    sensors: SensorFigures = SensorFigures()
