"""The FPGA's firmware of modules: compared with what was recorded when the run was made, and configured anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fat.degg.station.errors import ModuleRefused, ModuleSilent, StationError
from fat.degg.station.module import Module
from fat.degg.station.station import Station

TRIES: Final = 3


@dataclass(slots=True)
class Firmware:
    """What came of making modules run the recorded firmware.

    attempts  how often each module's FPGA was configured; modules that were right are not in it
    wrong     the version that a module has in the end, where it is another one
    silent    who does not answer, and how
    """

    attempts: dict[Module, int] = field(default_factory=dict)
    wrong: dict[Module, int] = field(default_factory=dict)
    silent: dict[Module, Exception] = field(default_factory=dict)


def restore(
    station: Station, expected: Mapping[Module, int], *, tries: int = TRIES, jobs: int = 4
) -> Firmware:
    """Compare, and configure the FPGAs that run something else with the newest file of their flash, so many times.

    expected  version of each module
    """
    found = Firmware()

    def one(module: Module) -> tuple[int, int]:
        return make_right(module, expected[module], tries)

    results, found.silent = station.on_each(list(expected), one, jobs)
    for module, (version, attempts) in results.items():
        if attempts:
            found.attempts[module] = attempts
        if version != expected[module]:
            found.wrong[module] = version
    return found


def make_right(module: Module, expected: int, tries: int = TRIES) -> tuple[int, int]:
    """Have one module run a version; returns the version that it runs, and how often it was configured for that."""
    version, attempts = module.fpga_version(), 0
    while version != expected and attempts < tries:
        attempts += 1
        configure_newest(module)
        version = module.fpga_version()
    return version, attempts


def configure_newest(module: Module) -> None:
    """Configure the FPGA with the last file of the flash. An attempt that the board reports as failed is no error."""
    files = module.flash_files()
    if not files:
        raise ModuleRefused(module.name, "flashLS", "its flash holds no file; upload the firmware first")
    try:
        module.configure_fpga(files[-1].name)
    except ModuleRefused:
        return  # the version, which is asked next, tells it


def sentence_of(module: Module, error: Exception) -> str:
    """What is wrong with a module, for people."""
    known = isinstance(error, ModuleSilent | StationError)
    return str(error) if known else f"{module.name}: {type(error).__name__}: {error}"


def listed(modules: Sequence[Module]) -> str:
    """Modules by name, for people."""
    return ", ".join(module.name for module in modules)
