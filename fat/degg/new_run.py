"""A new run with the modules that answer: what `stellwerk fat configs` makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fat.degg.records.catalogue import device_body, read_catalogue
from fat.degg.records.locked_json import read_json, write_json
from fat.degg.records.numbering import next_run_number, spelled
from fat.degg.records.run_file import RunFile
from fat.degg.station.module import Module
from fat.degg.station.station import TABLETOP_PORTS, Station
from fat.errors import BenchError, UsageError
from fat.provenance import source

FPGA_VERSION: Final = 0x110
"""Of the images that modules are delivered with."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person is asked, and how: `ask_yes` a question with yes or no, `ask_text` one with a text."""

    ask_yes: Callable[[str], bool]
    ask_text: Callable[[str], str]
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Identified:
    """What a module said of itself."""

    port: int
    icm_id: str
    fpga_version: int
    iceboot_version: int


def new_run(
    open_ports: Path,
    endpoints: Mapping[str, Any],
    catalogue: Path,
    run_dir: Path,
    answers: Answers,
    *,
    fpga_version: int = FPGA_VERSION,
    now: Callable[[], datetime] = datetime.now,
) -> RunFile | None:
    """Write device files and the run file of a new run. None when a person wants to stop.

    open_ports  what `stellwerk fat setup` left: `{port: what the module said, or false}`

    Raises UsageError for papers without a module, BenchError for modules that are silent or have another FPGA version.
    """
    papers = read_catalogue(catalogue)
    good, failed = _ports(open_ports)
    if failed:
        answers.say(f"{len(failed)} ports have failed: {', '.join(map(str, failed))}")
        if answers.ask_yes("Exit, to set these modules up again?"):
            return None
    if not good:
        raise UsageError(f"{open_ports}: no port is open; run `stellwerk fat setup` first")
    found = identify(endpoints, good)
    _demand_version(found, fpga_version)
    entries = {module.port: _entry(papers, module, catalogue) for module in found}
    number = next_run_number(run_dir)
    paths: dict[str, Path] = {}
    for module in found:
        entry = entries[module.port]
        path = _place(run_dir / f"run_{spelled(number)}", str(entry["DEggSerialNumber"]), answers, now())
        write_json(path, _body(module, entry))
        paths[str(entry["DEggSerialNumber"])] = path
    comment = answers.ask_text("Comment for this run")
    return RunFile.create(run_dir, comment, now().date(), paths, number)


def identify(endpoints: Mapping[str, Any], ports: Sequence[int]) -> list[Identified]:
    """Ask modules who they are, by the parallel rule. Raises MeasurementFailed naming those that did not say."""
    with Station(endpoints, time.sleep, dict.fromkeys(ports, "")) as station:
        found = station.each(list(station.modules.values()), _identified)
    return [found[module] for module in sorted(found, key=lambda module: module.port)]


def _identified(module: Module) -> Identified:
    return Identified(module.port, module.icm_id(), module.fpga_version(), module.iceboot_version())


def _ports(path: Path) -> tuple[list[int], list[int]]:
    """Ports of modules that are open, and that are not. The tabletop mainboard is no module of a run."""
    try:
        told = {int(port): said for port, said in read_json(path).items()}
    except ValueError:
        raise UsageError(f"{path}: its keys must be ports; write it with `stellwerk fat setup`") from None
    modules = {port: said for port, said in sorted(told.items()) if port < TABLETOP_PORTS}
    return [port for port, said in modules.items() if said], [
        port for port, said in modules.items() if not said
    ]


def _demand_version(found: Sequence[Identified], wanted: int) -> None:
    wrong = [module for module in found if module.fpga_version != wanted]
    if wrong:
        told = ", ".join(f"degg.{module.port} has {module.fpga_version}" for module in wrong)
        raise BenchError(
            f"FPGA version {wanted} is asked for, but {told}; flash them with `stellwerk fat setup` "
            "or name the version with --fpga-version. No run was made"
        )


def _entry(papers: Mapping[str, dict[str, Any]], module: Identified, catalogue: Path) -> dict[str, Any]:
    if module.icm_id.lower() not in papers:
        raise UsageError(
            f"{catalogue}: there are no papers of the module at degg.{module.port}, ICM id {module.icm_id}; "
            "add an entry [[module]]. No run was made"
        )
    return papers[module.icm_id.lower()]


def _body(module: Identified, entry: Mapping[str, Any]) -> dict[str, Any]:
    return device_body(
        entry,
        ICMID=module.icm_id,
        fpgaVersion=module.fpga_version,
        IcebootVersion=module.iceboot_version,
        Port=module.port,
        ICM=module.port % 4,
        GitShortSHA=source().short,
    )


def _place(folder: Path, serial: str, answers: Answers, now: datetime) -> Path:
    """Where a device file goes: one that is there is overwritten, or the new one is named by the time."""
    path = folder / f"{serial}.json"
    if path.exists() and not answers.ask_yes(f"{path} exists. Overwrite it (else _HH-MM is added)?"):
        return folder / f"{serial}_{now:%H-%M}.json"
    return path
