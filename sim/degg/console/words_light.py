"""Words of flasher and cameras; all of them need the LID interlock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.degg.console.forth import Call, Given, Word
from sim.degg.lights import MAX_EXPOSURE_MS, MAX_GAIN, MIN_EXPOSURE_MS
from sim.degg.refusal import Refused

ICM_TRIGGER_US: Final = 1024 / 60.0
"""Unit of the period of `icmStartCalTrig`: 17.067 us."""
MAX_REGISTER: Final = 0xFFFF


def _lid(name: str, effect: str, about: str, act: Callable[..., Given], *, fpga: bool = False) -> Word:
    return Word(name, effect, about, act, needs_fpga=fpga, needs_lid=True)


def _power(on: bool) -> Callable[[Call], None]:
    return lambda call: call.board.lights.power(on, call.now)


def _start_trigger(call: Call, pulses: int, period: int) -> None:
    call.board.lights.set_trigger(max(1, period) * ICM_TRIGGER_US, call.now)
    call.say(f"0x{pulses & 0xFFFF:04x}")


def _init(call: Call, n: int) -> None:
    _, state = call.board.lights.camera(n)
    state.ready = True
    call.wait(call.board.figures.camera_start_s)


def _is_ready(call: Call, n: int) -> int:
    lights = call.board.lights
    return int(n in lights.states and lights.supplied(n) and lights.states[n].ready)


def _ready(call: Call, n: int) -> None:
    if not _is_ready(call, n):
        raise Refused(f"camera {n} is not ready")


def _capture(call: Call, n: int) -> None:
    _ready(call, n)
    camera, state = call.board.lights.camera(n)
    camera.capture(state.gain, state.exposure_ms, call.now)
    state.has_image = True
    call.wait(state.exposure_ms / 1000.0)


def _image(call: Call, n: int) -> bytes:
    camera, state = call.board.lights.camera(n)
    if not state.has_image:
        raise Refused(f"camera {n} has no image")
    return camera.image_bytes()


def _send(call: Call, n: int) -> None:
    call.send(_image(call, n))


def _id(call: Call, n: int) -> None:
    call.say(call.board.lights.camera(n)[0].camera_id)


def _set_gain(call: Call, n: int, gain: int) -> None:
    if not 0 <= gain <= MAX_GAIN:
        raise Refused(f"bad gain {gain}")
    call.board.lights.camera(n)[1].gain = gain


def _set_exposure(call: Call, n: int, ms: int) -> None:
    if not MIN_EXPOSURE_MS <= ms <= MAX_EXPOSURE_MS:
        raise Refused(f"bad exposure {ms}")
    call.board.lights.camera(n)[1].exposure_ms = ms


def _set_standby(call: Call, n: int, on: int) -> None:
    call.board.lights.camera(n)[1].standby = on != 0


def _standby(call: Call, n: int) -> None:
    call.say(str(int(call.board.lights.camera(n)[1].standby)))


def _write_register(call: Call, n: int, value: int, register: int) -> None:
    if not 0 <= register <= MAX_REGISTER:
        raise Refused(f"bad register {register}")
    call.board.lights.camera(n)[1].registers[register] = value & MAX_REGISTER


def _read_register(call: Call, n: int, register: int) -> int:
    return call.board.lights.camera(n)[1].registers.get(register, 0)


def _accept(call: Call, n: int, *_: int) -> None:
    call.board.lights.camera(n)


def _test_line(call: Call, n: int, trials: int) -> int:  # noqa: ARG001  # no trial fails
    call.board.lights.camera(n)
    return 0


LIGHT: Final = (
    _lid("enableCalibrationPower", "--", "Supplies flasher and cameras.", _power(True)),
    _lid("disableCalibrationPower", "--", "Supplies them no more.", _power(False)),
    _lid(
        "setCalibrationSlavePowerMask",
        "mask --",
        "Accepted; both boards have power.",
        lambda _call, _mask: None,
    ),
    _lid(
        "setFlasherMask",
        "m --",
        "Chooses LEDs, 0x001..0xfff.",
        lambda call, m: call.board.lights.set_leds(m, call.now),
        fpga=True,
    ),
    _lid(
        "setFlasherBias",
        "b --",
        "Sets the brightness, 0..0xffff.",
        lambda call, b: call.board.lights.set_bias(b, call.now),
        fpga=True,
    ),
    _lid(
        "enableCalibrationTrigger",
        "us --",
        "Flashes this often.",
        lambda call, us: call.board.lights.set_trigger(float(us), call.now),
        fpga=True,
    ),
    _lid(
        "disableCalibrationTrigger",
        "--",
        "Flashes no more.",
        lambda call: call.board.lights.set_trigger(None, call.now),
        fpga=True,
    ),
    _lid(
        "icmStartCalTrig",
        "pulses period --",
        "Flashes every so many 17 us; prints the pulses.",
        _start_trigger,
    ),
    _lid(
        "icmStopCalTrig", "--", "Flashes no more.", lambda call: call.board.lights.set_trigger(None, call.now)
    ),
    _lid(
        "setCameraEnableMask",
        "mask --",
        "Supplies cameras: 0x01, 0x04, 0x10.",
        lambda call, mask: call.board.lights.set_camera_mask(mask),
    ),
    _lid("initCamera", "n --", "Makes a camera ready.", _init),
    _lid("isCameraReady", "n -- flag", "Whether it is.", _is_ready),
    _lid("captureCameraImage", "n --", "Takes an image.", _capture),
    _lid("cameraImageSize", "n -- size", "Bytes of the image.", lambda call, n: len(_image(call, n))),
    _lid("sendCameraImage", "n --", "Sends the image.", _send),
    _lid("getCameraID", "n --", "Prints the camera's number.", _id),
    _lid("setCameraGain", "n gain --", "Gain, 0..300 in 0.1 dB.", _set_gain),
    _lid("setCameraExposureMs", "n ms --", "Exposure, 33..3700 ms.", _set_exposure),
    _lid("setCameraSensorStandby", "n on --", "Puts a sensor to sleep or wakes it.", _set_standby),
    _lid("getCameraSensorStandby", "n --", "Prints whether it sleeps.", _standby),
    _lid("setCameraCaptureMode", "n mode --", "Accepted.", _accept),
    _lid("setCameraNFrames", "n frames --", "Accepted.", _accept),
    _lid("setCameraGainConversionMode", "n mode --", "Accepted.", _accept),
    _lid("setCameraCaptureWindow", "n x y width height black --", "Accepted; images are whole.", _accept),
    _lid("flushCameraBuffer", "n --", "Accepted.", _accept),
    _lid("writeCameraRegister", "n value register --", "Writes a register.", _write_register),
    _lid("readCameraRegister", "n register -- value", "Reads it back.", _read_register),
    _lid("writeCameraSensorRegister", "n value register --", "Writes a register.", _write_register),
    _lid("readCameraSensorRegister", "n register -- value", "Reads it back.", _read_register),
    _lid("testCameraSPI", "n trials -- failures", "Counts errors of its line; there are none.", _test_line),
)
