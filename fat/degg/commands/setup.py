"""`stellwerk fat setup`: from wire pairs without words to modules that answer, and `open_ports.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fat.degg.commands.telling import Row, Teller
from fat.degg.station.errors import StationError
from fat.degg.station.module import Module
from fat.degg.station.station import Station
from fat.degg.station.wire_pair import HUB, WirePair
from fat.degg.tasks import firmware
from fat.files import write_json_atomically

RESTART_S: Final = 5.0
"""Mainboards start in 2 s after their ICM has given them power."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator has answered on the command line; None: is asked.

    reboot   whether the ICMs' images are started anew
    """

    flash_interlock: bool | None = None
    flash: bool | None = None
    parallel: bool | None = None
    reboot: bool = True


@dataclass(slots=True)
class Group:
    """One wire pair: who should be there, who is, and what went wrong."""

    base: int
    expected: list[int]
    found: list[int] = field(default_factory=list)
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether all ICMs and the hub are there, and interlocks are set."""
        return not self.error and set(self.expected) <= set(self.found) and HUB in self.found

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "base": self.base,
            "expected": self.expected,
            "found": self.found,
            "ok": self.ok,
            "error": self.error,
        }


def groups_of(station: Station) -> list[Group]:
    """The wire pairs, with the addresses that their modules should have; the tabletop mainboard's is 7."""
    groups = {base: Group(base, []) for base in sorted(station.wire_pairs)}
    for module in all_modules(station):
        pair, address = station.wire_pair_of(module)
        groups[pair.base].expected.append(address)
    return list(groups.values())


def all_modules(station: Station) -> list[Module]:
    """Modules and, where there is one, the tabletop mainboard."""
    return [*station.modules.values(), *([station.tabletop] if station.has_tabletop else [])]


def bring_up(
    station: Station, teller: Teller, choices: Choices, *, flash_interlock: bool, not_started: int = 0
) -> list[Group]:
    """Reboot the ICMs, look who is there, and close interlocks, at all wire pairs side by side.

    not_started  domnet processes that have not come so far
    """
    groups = groups_of(station)
    teller.heading("Wire pairs")
    finished: list[int] = []
    with teller.bar("starting", len(groups)) as done:

        def one(group: Group) -> None:
            try:
                _bring_up(station.wire_pairs[group.base], group, choices, flash_interlock=flash_interlock)
            except StationError as error:
                group.error = str(error)
            finished.append(group.base)
            done(len(finished))

        if groups:
            with ThreadPoolExecutor(len(groups), thread_name_prefix="wire pair") as pool:
                list(pool.map(one, groups))
    station.wait(RESTART_S)
    teller.rows([_row(group) for group in groups])
    failed = not_started + sum(not group.ok for group in groups)
    teller.say(
        f"  {failed} of {not_started + len(groups)} DomNet starts failed", style="bold red" if failed else ""
    )
    return groups


def _bring_up(pair: WirePair, group: Group, choices: Choices, *, flash_interlock: bool) -> None:
    group.found = pair.probe()
    if choices.reboot:
        for device in [HUB, *(address for address in group.found if address != HUB)]:
            pair.reboot_icm(device)
        group.found = pair.probe()
    if any(address != HUB for address in group.found):
        pair.permit_hv()
        pair.permit_light()
        pair.permit_flash(on=flash_interlock)


def _row(group: Group) -> Row:
    icms = [address for address in group.found if address != HUB]
    missing = sorted(set(group.expected) - set(icms))
    text = f"{len(icms)} of {len(group.expected)} ICMs, hub {'at 8' if HUB in group.found else 'missing'}"
    if missing:
        text += f"; nobody at {', '.join(map(str, missing))}"
    return Row(group.ok, f"{group.base}", group.error or f"{text}; interlocks of HV and light closed")


def flash_fpgas(station: Station, teller: Teller, *, parallel: bool) -> dict[int, str]:
    """Configure the FPGA of each module with the newest file of its flash; by port what went wrong, or nothing."""
    modules = all_modules(station)
    teller.heading(f"FPGAs, {'wire pairs side by side' if parallel else 'one after the other'}")
    finished: list[int] = []
    with teller.bar("configuring", len(modules)) as done:

        def one(module: Module) -> int:
            firmware.configure_newest(module)
            version = module.fpga_version()
            finished.append(module.port)
            done(len(finished))
            return version

        versions, failures = station.on_each(modules, one, jobs=4 if parallel else 1)
    wrong = {module.port: str(error) for module, error in failures.items()}
    by_version: dict[int, int] = {}
    for version in versions.values():
        by_version[version] = by_version.get(version, 0) + 1
    rows = [Row(True, f"{count} modules", f"version {v} ({v:#x})") for v, count in sorted(by_version.items())]
    teller.rows([*rows, *(Row(False, f"{port}", text) for port, text in sorted(wrong.items()))])
    return wrong


def test_ports(station: Station, teller: Teller) -> dict[int, str | bool]:
    """What each module prints to `sloAdcReadAll`, or false."""
    teller.heading("Modules")
    said, failures = station.on_each(all_modules(station), Module.slow_adc_text)
    ports: dict[int, str | bool] = {module.port: text for module, text in said.items()}
    ports |= dict.fromkeys((module.port for module in failures), False)
    rows = [Row(True, f"{m.port}", _short(text)) for m, text in said.items()]
    rows += [Row(False, f"{m.port}", firmware.sentence_of(m, error)) for m, error in failures.items()]
    teller.rows(sorted(rows, key=lambda row: int(row.what)))
    return dict(sorted(ports.items()))


def _short(text: str) -> str:
    """The temperature, which tells a person more than sixteen lines."""
    line = next((line for line in text.splitlines() if line.startswith("Channel 7 ")), "")
    words = line.split()
    return f"answers; its board has {float(words[3]):.1f} C" if len(words) > 3 else "answers"


def write_open_ports(path: Path, ports: Mapping[int, str | bool]) -> None:
    """`{port: output, or false}`."""
    write_json_atomically(path, {str(port): said for port, said in ports.items()})


def summary(groups: Sequence[Group], ports: Mapping[int, str | bool], path: Path) -> Row:
    """One line at the end."""
    good = sum(said is not False for said in ports.values())
    ok = good == len(ports) and all(group.ok for group in groups)
    return Row(ok, "summary", f"{good} of {len(ports)} modules are ready; written to {path}")
