"""Self-tests of the cameras. They need the LID interlock, which is given for the time of a test and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Final

from fat.degg.self_tests.subject import Finding, Subject
from fat.degg.station.light_words import CAMERA_START_S, CAMERAS, camera_mask

SPI_TRIALS: Final = 100
REGISTER: Final = 0x10
PATTERNS: Final = (0x55AA, 0xAA55)


@contextmanager
def _lid(subject: Subject) -> Iterator[None]:
    before = subject.module.lid_interlock()
    subject.pair.permit_light(device=subject.address)
    try:
        yield
    finally:
        subject.module.flash_off()
        if not before:
            subject.pair.permit_light(False, subject.address)


def camera_comms(camera: int, subject: Subject) -> Finding:
    """A camera starts, says who it is, keeps what is written to it, and loses no byte on its line."""
    console, found = subject.module.console, Finding()
    with _lid(subject):
        subject.module.start_camera(camera)
        found.values["id"] = subject.module.camera_id(camera)
        found.demand(bool(found.values["id"]), "the camera does not say who it is")
        found.demand(bool(console.number(f"{camera} isCameraReady")), "the camera is not ready")
        lost = console.number(f"{camera} {SPI_TRIALS} testCameraSPI", CAMERA_START_S)
        found.values["lost"] = lost
        found.demand(lost == 0, f"{lost} of {SPI_TRIALS} messages to the camera were lost")
        for pattern in PATTERNS:
            console.do(f"{camera} {pattern} {REGISTER} writeCameraRegister")
            read = console.number(f"{camera} {REGISTER} readCameraRegister")
            found.demand(read == pattern, f"{read:#x} was read for {pattern:#x}")
    return found


def camera_combinations(subject: Subject) -> Finding:
    """Any choice of cameras can have supply, and no other has it then."""
    console, found = subject.module.console, Finding()
    with _lid(subject):
        console.do("enableCalibrationPower")
        for chosen in product((False, True), repeat=len(CAMERAS)):
            wanted = [camera for camera, yes in zip(CAMERAS, chosen, strict=True) if yes]
            console.do(f"{sum(map(camera_mask, wanted))} setCameraEnableMask")
            for camera in wanted:
                console.do(f"{camera} initCamera", timeout_s=CAMERA_START_S)
            ready = [camera for camera in CAMERAS if console.number(f"{camera} isCameraReady")]
            found.demand(ready == wanted, f"cameras {ready} are ready and {wanted} were supplied")
    found.values["combinations"] = 2 ** len(CAMERAS)
    return found
