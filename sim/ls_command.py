"""`stellwerk sim ls`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.errors import SimError


def ls(
    bench: Annotated[Path, typer.Argument(metavar="BENCH.toml", help="The file of a bench that is up.")],
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Show what is in the laboratory of a bench that is up, and its present state.

    Example: stellwerk sim ls configs/lab.toml
    """
    from sim.running_bench import RunningBench

    try:
        running = RunningBench.of(bench)
        states = [running.laboratory(name) for name in running.laboratories()]
        if not states:
            raise SimError('this bench has no laboratory (a device with kind = "lab")')
    except SimError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    if json_output:
        typer.echo(json.dumps({state["name"]: state for state in states}, indent=2))
        return
    for state in states:
        for line in described(state):
            typer.echo(line)


def described(state: dict[str, Any]) -> Iterator[str]:
    """A laboratory's state as lines for a person."""
    seconds = state["time"]["now_ns"] / 1e9
    moment = datetime.fromtimestamp(state["time"]["epoch_unix_ns"] / 1e9 + seconds, UTC)
    yield f"{state['name']}: day {int(seconds // 86400) + 1}, {moment:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  light   {_light(state['light'])}"
    yield f"  cold    {_cold(state['cold'])}"
    yield f"  power   {_power(state['power'])}"
    if state["modules"]:
        yield ""
        yield from _table(
            ("port", "serial number", "power", "board", "HV lower", "HV upper", "faults on"),
            [_module(port, module, state) for port, module in state["modules"].items()],
        )
    modules = {f"degg.{port}" for port in state["modules"]}
    others = {name: part for name, part in state["parts"].items() if name not in modules}
    yield ""
    yield from _table(
        ("part", "address", "faults on"),
        [(name, part["address"] or "-", _faults(part)) for name, part in others.items()],
    )


def _light(light: dict[str, Any]) -> str:
    generator, supply = light["generator"], light["supply"]
    wheels = " ".join(f"× {wheel['strength']:g}" for wheel in light["wheels"])
    return ", ".join(
        [
            f"generator {_switch(generator['on'])} {generator['frequency_hz']:g} Hz "
            f"{generator['amplitude_vpp']:g} Vpp",
            f"supply {_switch(supply['on'])} {supply['volts']:.2f} V",
            f"filters {wheels}",
            f"dark: {light['why_dark']}" if light["why_dark"] else f"fibres lit × {light['strength']:g}",
        ]
    )


def _cold(cold: dict[str, Any]) -> str:
    freezer = "open" if cold["open"] else "running" if cold["running"] else "stopped"
    return (
        f"freezer {freezer} at {cold['set_point_c']:.1f} C, air {cold['air_c']:.1f} C, "
        f"glass {cold['glass_c']:.1f} C, humidity {cold['humidity']:.1f} %"
    )


def _power(power: dict[str, Any]) -> str:
    pairs = ", ".join(f"{group} {_switch(on)}" for group, on in power["wire_pairs"].items())
    return f"mains {_switch(power['mains'])}; wire pairs {pairs or 'none'}"


def _module(port: str, module: dict[str, Any], state: dict[str, Any]) -> tuple[str, ...]:
    board = module.get("board_c")
    volts = [f"{channel['hv_volts']:.0f} V" if channel["hv_on"] else "off" for channel in module["channels"]]
    lower, upper = [*volts, "-", "-"][:2]
    return (
        port,
        module["serial"],
        _switch(module["powered"]),
        "-" if board is None or not module["powered"] else f"{board:.1f} C",
        lower,
        upper,
        _faults(state["parts"][f"degg.{port}"]),
    )


def _faults(part: dict[str, Any]) -> str:
    return ", ".join(name for name, fault in part["faults"].items() if fault["on"]) or "-"


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
