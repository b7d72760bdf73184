"""`stellwerk sim fault`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.errors import SimError


def value_of(text: str) -> Any:
    """A parameter's value as it is typed: JSON where it is JSON (12, 0.5, true, [1, 2]), else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def fault(
    bench: Annotated[Path, typer.Argument(metavar="BENCH.toml", help="The file of a bench that is up.")],
    device: Annotated[str | None, typer.Argument(help="Name of a device in it.", show_default=False)] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="FAULT", help="The fault.", show_default=False)
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Switch it off.")] = False,
    times: Annotated[int | None, typer.Option(min=1, help="Strike so many times, then stop.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", help="A parameter, as name=value; may be repeated."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Switch a fault of a simulated device in a bench that is up; without a fault, show those that are on.

    Examples:

      stellwerk sim fault configs/demo.toml

      stellwerk sim fault configs/demo.toml agipd drop_packets -p module=3 -p fraction=0.05

      stellwerk sim fault configs/demo.toml agipd module_missing --times 10

      stellwerk sim fault configs/demo.toml agipd drop_packets --off
    """
    from sim.running_bench import RunningBench

    try:
        running = RunningBench.of(bench)
        if device is None or name is None:
            _show(running.status()["devices"], device, json_output)
            return
        parameters = dict(_pair(text) for text in parameter or ())
        body = {"device": device, "fault": name, "on": not off, "times": times, "parameters": parameters}
        answer = running.switch_fault(body)
    except SimError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    typer.echo(json.dumps(answer) if json_output else f"{device}: {name} is {'off' if off else 'on'}")


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is no parameter; write it as name=value, e.g. module=3")
    return key, value_of(value)


def _show(devices: dict[str, Any], device: str | None, json_output: bool) -> None:
    shown = {name: state for name, state in devices.items() if device in (None, name)}
    if json_output:
        typer.echo(json.dumps({name: state.get("faults", {}) for name, state in shown.items()}))
        return
    for name, state in shown.items():
        on = state.get("faults", {})
        typer.echo(f"{name}: {'no fault is on' if not on else ''}")
        for fault_name, parameters in on.items():
            typer.echo(f"  {fault_name}  " + ", ".join(f"{k}={v!r}" for k, v in parameters.items()))
