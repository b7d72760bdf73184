"""Cameras of the modules: pictures in the dark and of lit LEDs, and their files (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.camera import DarkFrames, blob, usable
from fat.degg.records.device_file import NO_FOLDER, DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Quantity
from fat.degg.station import Module, Station, StationError
from fat.degg.station.data_files import DataFileBroken, new_folder, read, write
from fat.degg.station.light_words import CAMERAS
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import begin_once
from fat.files import write_bytes_atomically
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

DARK: Final = "camera_darknoise"
PATTERN: Final = "camera_pattern"
FRAMES: Final = 30
DARK_GAIN: Final = 0
DARK_EXPOSURE_MS: Final = 3700
"""The longest: hot pixels stand out."""
PATTERN_GAIN: Final = 0
PATTERN_EXPOSURE_MS: Final = 100
NO_PICTURE: Final = "the camera gives no picture"


@dataclass(frozen=True, eq=False)
class _Result:
    """What a camera gave: arrays for its file, and numbers for the papers. No arrays: why it gave nothing."""

    arrays: Mapping[str, NDArray[Any]]
    numbers: Mapping[str, Any]


Work = Callable[[Module, int], _Result]


@declares(needs={"laser": "off"}, lasts_s=7200.0)
def measure_camera(context: TaskContext, comment: str, n_jobs: int = 4, frames: int = FRAMES) -> TaskResult:
    """Dark pictures of the three cameras of each module: pedestal, noise, hot pixels.

    frames  pictures of each camera
    """

    def work(module: Module, camera: int) -> _Result:
        module.start_camera(camera)
        sums = DarkFrames()
        for _ in range(frames):
            sums.add(module.picture(camera, gain=DARK_GAIN, exposure_ms=DARK_EXPOSURE_MS))
        found = sums.result()
        arrays: dict[str, NDArray[Any]] = {
            "mean": np.rint(found.mean * 16).astype(np.uint16),
            "hot": found.hot,
        }
        numbers = {"Pedestal": found.pedestal, "Noise": found.noise, "HotPixels": len(found.hot)}
        return _Result(arrays, {**numbers, "CameraID": module.camera_id(camera)})

    settings = {"Gain": DARK_GAIN, "ExposureMs": DARK_EXPOSURE_MS, "Frames": frames}
    return _measure(context, comment, n_jobs, DARK, settings, work, _judge_dark)


@declares(needs={"laser": "off"}, lasts_s=600.0)
def measure_pattern(context: TaskContext, comment: str, n_jobs: int = 4) -> TaskResult:
    """A picture of each camera while the LEDs beside the cameras shine: there must be a blob of light."""

    def work(module: Module, camera: int) -> _Result:
        module.start_camera(camera, illuminated=True)
        picture = module.picture(camera, gain=PATTERN_GAIN, exposure_ms=PATTERN_EXPOSURE_MS)
        found = blob(picture)
        numbers = {"Found": found.found, "Row": found.row, "Column": found.column, "Area": found.area}
        return _Result({"picture": picture}, {**numbers, "Height": found.height, "Round": found.round})

    settings = {"Gain": PATTERN_GAIN, "ExposureMs": PATTERN_EXPOSURE_MS, "Frames": 1}
    result = _measure(context, comment, n_jobs, PATTERN, settings, work, _judge_pattern)
    _show(context, Path(result.outputs["folder"]))
    return result


def _show(context: TaskContext, folder: Path) -> None:
    """All pictures on one sheet, for people."""
    from fat.degg.figures.cameras import Shot, contact_sheet

    shots = []
    for path in sorted(folder.glob("*.hdf5")):
        file = read(path)
        about = file.attributes
        name = f"{about['device']} {about['camera'] - 1}"
        picture = usable(file.arrays["picture"])
        shots.append(Shot(name, picture, about["Found"], about["Row"], about["Column"]))
    sheet = folder / "pattern.png"
    write_bytes_atomically(sheet, contact_sheet(shots))
    seen = sum(shot.found for shot in shots)
    text = f"Cameras: {seen} of {len(shots)} see a lit LED"
    context.notify(text, severity="monitoring", picture=sheet, title="Cameras before lit LEDs")


Judge = Callable[[DeviceFile, int, _Result, float], Iterator[Quantity]]


def _measure(
    context: TaskContext,
    comment: str,
    n_jobs: int,
    name: str,
    settings: Mapping[str, Any],
    work: Work,
    judge: Judge,
) -> TaskResult:
    run = RunFile.open(context.parameters["run_file"])
    devices = {device.port: device for device in run.devices()}
    keys = {port: _begun(context, device, name, comment, settings) for port, device in devices.items()}
    taking_part = {port: device.serial for port, device in devices.items() if not device.ignored}
    folder = new_folder(run.data_dir, name, datetime.now(UTC).date())
    with Station.of(context, taking_part) as station:
        modules = list(station.modules.values())
        for module in modules:
            pair, address = station.wire_pair_of(module)
            pair.permit_light(device=address)
        boards = station.each(modules, lambda module: module.temperature(), n_jobs)
        celsius = celsius_as_it_begins(context, boards, comment)

        def at(module: Module) -> dict[int, _Result]:
            about = {"device": module.serial, "port": module.port, "temperature_c": celsius, **settings}
            return _at_module(module, folder, about, work)

        found = station.each(modules, at, n_jobs)
        station.spend(_bench_seconds(settings))
    return _concluded(
        context, devices, keys, folder, name, celsius, {m.port: r for m, r in found.items()}, judge
    )


def _begun(
    context: TaskContext, device: DeviceFile, name: str, comment: str, settings: Mapping[str, Any]
) -> str:
    with device.changes() as changes:
        return begin_once(context, changes, name, comment, **settings)


def _bench_seconds(settings: Mapping[str, Any]) -> float:
    """What the exposures of one module take; modules of a wire pair follow one another."""
    return 4 * len(CAMERAS) * float(settings["Frames"]) * float(settings["ExposureMs"]) / 1000.0


def _at_module(module: Module, folder: Path, about: Mapping[str, Any], work: Work) -> dict[int, _Result]:
    """All cameras of one module; their supply is off afterwards."""
    found = {}
    try:
        for camera in CAMERAS:
            try:
                found[camera] = work(module, camera)
            except StationError as error:
                found[camera] = _Result({}, {"Problem": str(error)})
                continue
            path = folder / f"{module.serial}_camera-{camera - 1}.hdf5"
            write(path, found[camera].arrays, {**about, "camera": camera, **found[camera].numbers})
    finally:
        module.flash_off()
    return found


def _concluded(
    context: TaskContext,
    devices: Mapping[int, DeviceFile],
    keys: Mapping[int, str],
    folder: Path,
    name: str,
    celsius: float,
    found: Mapping[int, Mapping[int, _Result]],
    judge: Judge,
) -> TaskResult:
    quantities: list[Quantity] = []
    for port, cameras in found.items():
        device = devices[port]
        bad = [camera for camera, result in cameras.items() if not result.arrays]
        values = {f"camera_{camera - 1}": dict(result.numbers) for camera, result in cameras.items()}
        if bad:
            device.note(None, keys[port], **values)
            text = f"{name}: {device.serial}: camera {', '.join(map(str, bad))} gives no picture"
            context.notify(text, severity="warning")
        else:
            device.complete(None, keys[port], folder, **values)
        for camera, result in cameras.items():
            quantities += judge(device, camera, result, celsius)
    return conclude(context, quantities, support=[folder], outputs={"folder": str(folder)})


def _judge_dark(device: DeviceFile, camera: int, result: _Result, celsius: float) -> Iterator[Quantity]:
    numbers = result.numbers
    pedestal = float(numbers.get("Pedestal", float("nan")))
    about = "mean of dark pictures" if result.arrays else NO_PICTURE
    yield _quantity(device, camera, "darknoise", "camera-darkrate", pedestal, "ADU", about, celsius)
    if result.arrays:
        hot, noise = float(numbers["HotPixels"]), float(numbers["Noise"])
        about = "hot pixels"
        yield _quantity(
            device, camera, "darknoise", "camera-hot-pixels", hot, "1", about, celsius, judged=False
        )
        about = "noise of a pixel in the dark"
        yield _quantity(
            device, camera, "darknoise", "camera-noise", noise, "ADU", about, celsius, judged=False
        )


def _judge_pattern(device: DeviceFile, camera: int, result: _Result, celsius: float) -> Iterator[Quantity]:
    seen = float(bool(result.numbers.get("Found", False)))
    about = "the picture of a lit LED is found" if result.arrays else NO_PICTURE
    yield _quantity(device, camera, "focus-and-alignment", "camera-pattern-test", seen, "1", about, celsius)


def _quantity(
    device: DeviceFile,
    camera: int,
    group: str,
    name: str,
    value: float,
    unit: str,
    about: str,
    celsius: float,
    *,
    judged: bool = True,
) -> Quantity:
    part = f"camera-{camera - 1}"
    return Quantity(device.serial, part, group, name, value, unit, about, celsius, (name,) if judged else ())


def camera_file_checker(context: TaskContext) -> TaskResult:
    """Whether the newest measurements of all cameras have their files, and these can be read."""
    missing: list[str] = []
    for device in RunFile.open(context.parameters["run_file"]).devices():
        if not device.ignored:
            missing += [
                f"{device.serial}: {text}" for name in (DARK, PATTERN) for text in _faults(device, name)
            ]
    if missing:
        context.notify("Camera files:\n" + "\n".join(missing), severity="warning")
    return TaskResult(outputs={"missing": missing})


def _faults(device: DeviceFile, name: str) -> Iterator[str]:
    latest = device.latest(None, name)
    if latest is None:
        yield f"{name} was not measured"
        return
    folder = latest[1].get("Folder", NO_FOLDER)
    if folder == NO_FOLDER:
        yield f"{latest[0]} has no folder"
        return
    for camera in CAMERAS:
        path = Path(folder) / f"{device.serial}_camera-{camera - 1}.hdf5"
        try:
            read(path)
        except DataFileBroken as error:
            yield str(error)
