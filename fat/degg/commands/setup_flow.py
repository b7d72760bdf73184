"""The flow of `stellwerk fat setup`: questions, domnet processes, modules, papers, and the wait for Ctrl-C."""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from fat.degg.commands import setup
from fat.degg.commands.domnets import Domnet, DomnetFailed
from fat.degg.commands.domnets import Wanted as WantedDomnet
from fat.degg.commands.place import endpoints_path, laboratory
from fat.degg.commands.telling import Row, Teller
from fat.degg.station.endpoints import read_endpoints
from fat.degg.station.wire_pair import HUB
from fat.errors import UsageError
from fat.files import write_json_atomically

FIRST_BASE: Final = 5000
GROUP: Final = 4
TABLETOP_BASE: Final = 10_000
TABLETOP_ADDRESS: Final = 7
POLL_S: Final = 1.0
STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and a terminal that is gone: domnet processes are ended in any case."""
OPEN_PORTS: Final = "open_ports.json"
ADDRESSES: Final = "setup_endpoints.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says."""

    usb: tuple[str, ...]
    tabletop: str | None
    endpoints: Path | None
    config: Path | None
    domnet: str
    out: Path | None
    choices: setup.Choices
    yes: bool
    json_output: bool


def run(wanted: Wanted) -> int:
    """Do it; the exit code."""
    teller = Teller(quiet=wanted.json_output, yes=wanted.yes or wanted.json_output)
    path = None if wanted.usb and wanted.endpoints is None else endpoints_path(wanted.endpoints)
    addresses = {} if path is None else read_endpoints(path)
    if not wanted.usb and not any(key.startswith("degg.") for key in addresses):
        raise UsageError(f"{path}: it names no optical module (degg.5000, …)")
    if wanted.usb:  # the modules are where domnet leads; the instruments stay
        addresses = {key: a for key, a in addresses.items() if not key.startswith(("degg.", "icm."))}
    where = f"{len(wanted.usb)} USB devices" if wanted.usb else str(path)
    teller.say(f"Set-up of the optical modules at {where}")
    if wanted.choices.reboot:
        teller.say("Their mainboards lose power: high voltage, lights and measurements in progress end.")
    if not teller.confirm("Proceed?"):
        teller.say("Nothing was done.")
        return 2
    interlock = teller.confirm(
        "Enable the flash interlock? (self-tests need it)", wanted.choices.flash_interlock
    )
    with _domnets(wanted, teller) as (started, failures):
        for domnet in started:
            addresses |= domnet.endpoints()
        out = wanted.out or (Path() if path is None else path.parent) / OPEN_PORTS
        code = _at_modules(wanted, teller, addresses, out, failures, flash_interlock=interlock)
        if started:
            write_json_atomically(out.parent / ADDRESSES, addresses)
            teller.say(f"Addresses for the next commands: --endpoints {out.parent / ADDRESSES}")
            try:
                _until_stopped(started, teller)
            finally:
                (out.parent / ADDRESSES).unlink(missing_ok=True)  # they lead nowhere any more
    return code


def _at_modules(
    wanted: Wanted,
    teller: Teller,
    addresses: Mapping[str, Any],
    out: Path,
    domnet_failures: Mapping[str, str],
    *,
    flash_interlock: bool,
) -> int:
    with laboratory(addresses) as station:
        groups = setup.bring_up(
            station, teller, wanted.choices, flash_interlock=flash_interlock, not_started=len(domnet_failures)
        )
        unflashed: dict[int, str] = {}
        if teller.confirm("Flash the FPGAs?", wanted.choices.flash):
            parallel = teller.confirm("All wire pairs in parallel?", wanted.choices.parallel)
            unflashed = setup.flash_fpgas(station, teller, parallel=parallel)
        ports = setup.test_ports(station, teller)
    setup.write_open_ports(out, ports)
    last = setup.summary(groups, ports, out)
    ok = bool(last.ok) and not domnet_failures
    teller.say()
    teller.rows([Row(ok, last.what, last.found)])
    teller.result(
        {
            "ok": ok,
            "domnet_failures": dict(domnet_failures),
            "groups": [group.as_json() for group in groups],
            "failed_starts": len(domnet_failures) + sum(not group.ok for group in groups),
            "not_flashed": {str(port): text for port, text in unflashed.items()},
            "ports": {str(port): said is not False for port, said in ports.items()},
            "open_ports": str(out),
        }
    )
    return 0 if ok else 1


@contextlib.contextmanager
def _domnets(wanted: Wanted, teller: Teller) -> Iterator[tuple[list[Domnet], dict[str, str]]]:
    """Start one for each USB device; they are ended with the `with`."""
    groups = [WantedDomnet(usb, FIRST_BASE + GROUP * n) for n, usb in enumerate(wanted.usb)]
    if wanted.tabletop is not None:
        groups.append(WantedDomnet(wanted.tabletop, TABLETOP_BASE, (TABLETOP_ADDRESS,)))
    started: list[Domnet] = []
    failures: dict[str, str] = {}
    rows = []
    try:
        for group in groups:
            domnet = Domnet(group, shlex.split(wanted.domnet), wanted.config)
            try:
                with teller.doing(f"domnet on {group.usb}"):
                    found = domnet.start()
            except DomnetFailed as error:
                failures[group.usb] = str(error)
                rows.append(Row(False, group.usb, str(error)))
                continue
            started.append(domnet)
            others = [address for address in found if address != HUB]
            ok = len(others) == len(group.expected) and HUB in found
            hub = "hub at 8" if HUB in found else "no hub"
            rows.append(Row(ok, group.usb, f"ports from {group.base}; {len(others)} ICMs, {hub}"))
        if groups:
            teller.heading("Domnet")
            teller.rows(rows)
        yield started, failures
    finally:
        for domnet in started:
            domnet.stop()


def _until_stopped(started: list[Domnet], teller: Teller) -> None:
    """Stay until Ctrl-C or SIGTERM, and tell when a domnet ends by itself."""
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in STOPS}
    teller.say(f"{len(started)} domnet processes run; Ctrl-C ends them.")
    missed: set[str] = set()
    try:
        while not stop.wait(POLL_S):
            for domnet in started:
                if domnet.ended and domnet.wanted.usb not in missed:
                    missed.add(domnet.wanted.usb)
                    teller.say(
                        f"domnet on {domnet.wanted.usb} has ended by itself; set up anew", style="bold red"
                    )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    teller.say("Domnet processes are ended.")
