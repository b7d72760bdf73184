"""Flasher and cameras of a module by its console. All need the LID interlock, which the ICM sets."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.station.board import Board

CAMERAS: Final = (1, 2, 3)
IMAGE_SHAPE: Final = (993, 1312)
USABLE_SHAPE: Final = (977, 1309)
"""Rows and columns that see light."""
ILLUMINATION: Final = 0x2A
"""Bits of the LEDs beside the cameras, each above its camera's."""
CAMERA_TIMEOUT_S: Final = 60.0
CAMERA_START_S: Final = 20.0
FLASH_PERIOD_US: Final = 1000


class LightWords(Board):
    """Flasher and cameras. Errors as those of Module."""

    def flash(self, mask: int, bias: int, period_us: int = FLASH_PERIOD_US) -> None:
        """Let LEDs flash: bit n - 1 of *mask* is LED n; *bias* 0..0xffff. Needs the LID interlock."""
        self.console.do(
            f"enableCalibrationPower {mask} setFlasherMask {bias} setFlasherBias",
            f"{period_us} enableCalibrationTrigger",
        )

    def flash_off(self) -> None:
        """No LED flashes, and flasher and cameras have no power."""
        self.console.do("disableCalibrationTrigger 0 setFlasherMask disableCalibrationPower")

    def start_camera(self, camera: int, *, illuminated: bool = False) -> None:
        """Supply a camera (1, 2, 3), alone, and make it ready; takes some seconds.

        illuminated  the LEDs beside the cameras light the vessel
        """
        mask = camera_mask(camera) | (ILLUMINATION if illuminated else 0)
        self.console.do(
            f"enableCalibrationPower {mask} setCameraEnableMask {camera} initCamera",
            timeout_s=CAMERA_START_S,
        )

    def camera_id(self, camera: int) -> str:
        """The camera's number."""
        return self.console.ask(f"{camera} getCameraID").strip()

    def picture(self, camera: int, *, gain: int, exposure_ms: int) -> NDArray[np.uint16]:
        """A picture of a camera that was started: (993, 1312), 12 bits; (977, 1309) of them see light.

        gain         0..300, in 0.1 dB
        exposure_ms  33..3700
        """
        self.console.do(
            f"{camera} {gain} setCameraGain {camera} {exposure_ms} setCameraExposureMs {camera} captureCameraImage",
            timeout_s=CAMERA_TIMEOUT_S,
        )
        length = 2 * IMAGE_SHAPE[0] * IMAGE_SHAPE[1]
        raw = self.console.block(f"{camera} sendCameraImage", length, CAMERA_TIMEOUT_S)
        pixels: NDArray[np.uint16] = np.frombuffer(raw, "<u2").reshape(IMAGE_SHAPE) >> np.uint16(4)
        return pixels

    def stop_cameras(self) -> None:
        """Take the cameras' supply away."""
        self.console.do("0 setCameraEnableMask")


def camera_mask(camera: int) -> int:
    """The bit that supplies a camera: 0x01, 0x04, 0x10. Raises ValueError."""
    if camera not in CAMERAS:
        raise ValueError(f"a module has cameras {CAMERAS[0]} to {CAMERAS[-1]}, not {camera}")
    return 1 << 2 * (camera - 1)
