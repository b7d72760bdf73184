"""Figures of the laboratory that may be set in the bench file, `[sim.devices.NAME.figures]`."""

from __future__ import annotations

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
    wheel: WheelFigures = WheelFigures()
    humidity: HumidityFigures = HumidityFigures()
    board: BoardFigures = BoardFigures()
    photomultiplier: PhotomultiplierFigures = PhotomultiplierFigures()
    wire_pairs: WirePairFigures = WirePairFigures()
    cameras: CameraFigures = CameraFigures()
    sensors: SensorFigures = SensorFigures()
