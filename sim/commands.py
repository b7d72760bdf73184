"""`stellwerk sim`: simulators on their own, without a bench."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, help="Simulators on their own, without a bench.")

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@app.command()
def kinds(json_output: JsonOption = False) -> None:
    """List the kinds of devices that can be simulated, and the faults that each can make.

    Example: stellwerk sim kinds
    """
    from sim.config import installed_kinds

    installed = sorted(installed_kinds().values(), key=lambda kind: kind.name)
    if json_output:
        listed = {
            kind.name: {
                "about": kind.about,
                "needs": list(kind.needs),
                "faults": {
                    fault.name: {
                        "about": fault.about,
                        "shown_by": fault.shown_by,
                        "parameters": dict(fault.parameters),
                    }
                    for fault in kind.faults
                },
            }
            for kind in installed
        }
        typer.echo(json.dumps(listed, indent=2))
        return
    for kind in installed:
        typer.echo(f"{kind.name}: {kind.about}")
        for fault in kind.faults:
            parameters = ", ".join(f"{name}={value!r}" for name, value in fault.parameters.items())
            typer.echo(f"  {fault.name}({parameters})")
            typer.echo(f"      {fault.about}")
            typer.echo(f"      shown by: {fault.shown_by}")


@app.command()
def xtdf(
    to: Annotated[
        str,
        typer.Option(help="Receiver of module 0, udp://host:port; module n sends to port + n."),
    ],
    modules: Annotated[int, typer.Option(min=1, max=16, help="How many modules.")] = 1,
    cells: Annotated[int, typer.Option(min=1, max=352, help="Memory cells, one frame each.")] = 4,
    trains: Annotated[int, typer.Option(min=1, help="How many trains, at 10 Hz.")] = 10,
    illumination: Annotated[
        Literal["dark", "flat", "rings", "spots"], typer.Option(help="What falls on the detector.")
    ] = "rings",
    gain_mode: Annotated[
        Literal["adaptive", "fixed_high", "fixed_medium", "fixed_low"], typer.Option(help="Gain stage.")
    ] = "adaptive",
    seed: Annotated[int, typer.Option(help="Seed of the modules and their noise.")] = 1,
    prebuilt: Annotated[
        int, typer.Option(min=0, max=64, help="Trains made beforehand and sent again in turn; 0: none.")
    ] = 0,
    pulse_step: Annotated[int, typer.Option(help="Ticks of 4.5 MHz between frames: 1, 2, 4 or 8.")] = 4,
    epoch_unix_ns: Annotated[
        int | None, typer.Option(help="Unix time of the first train id, nanoseconds; by default now.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Send AGIPD trains to a receiver, at 10 Hz by wall time.

    Example: stellwerk sim xtdf --modules 1 --cells 4 --trains 10 --to udp://127.0.0.1:4321
    """
    from sim.xtdf.standalone import send_trains

    sent = send_trains(
        to,
        modules=modules,
        cells=cells,
        trains=trains,
        illumination=illumination,
        gain_mode=gain_mode,
        seed=seed,
        prebuilt=prebuilt,
        pulse_step=pulse_step,
        epoch_unix_ns=epoch_unix_ns,
    )
    if json_output:
        typer.echo(json.dumps(sent))
    else:
        typer.echo(
            f"sent trains {sent['first_train_id']} to {sent['last_train_id']} of {modules} module(s) to {to}"
        )
        for problem in sent["problems"]:
            typer.echo(f"  {problem}", err=True)
