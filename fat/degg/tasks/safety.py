"""Leave a laboratory safe, whatever has happened in it."""

from __future__ import annotations

from collections.abc import Callable

from fat.degg.station.module import Module
from fat.degg.station.station import Station
from fat.errors import FatError
from scheduler import TaskContext, TaskResult, declares

CHANNELS = (0, 1)


@declares(leaves={"laser": "off", "hv": "off"}, timeout_s=900, always=True)
def leave_safe(context: TaskContext) -> TaskResult:
    """Laser, flashers and cameras off, high voltage down. What does not answer is named, and the rest still done.

    Raises FatError naming everything that could not be brought into a safe state: somebody has to go and look.
    """
    with Station.whole(context) as station:
        left = [*_tried("function generator", station.generator.off), *_modules_quiet(station)]
    if left:
        raise FatError(f"not left safe: {'; '.join(left)}")
    return TaskResult(outputs={"modules": len(station.modules)})


def _modules_quiet(station: Station) -> list[str]:
    _, failed = station.on_each(list(station.modules.values()), _quiet)
    return [str(error) for error in failed.values()]


def _quiet(module: Module) -> None:
    module.stop_triggers()
    if module.lid_interlock():  # without it there is no light, and the words are refused
        module.flash_off()
        module.stop_cameras()
    for channel in CHANNELS:
        if module.hv_enabled(channel):
            module.set_hv(channel, 0.0)
            module.disable_hv(channel)


def _tried(what: str, act: Callable[[], None]) -> list[str]:
    try:
        act()
    except FatError as error:
        return [f"{what}: {error}"]
    return []
