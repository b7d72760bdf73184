"""`stellwerk sim`: simulators on their own, without a bench."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from sim.conformance_command import conformance
from sim.doc_command import doc
from sim.domnet_command import domnet
from sim.fault_command import fault
from sim.kinds_command import kinds
from sim.ls_command import ls
from sim.rates_command import rates
from sim.stream_commands import record, replay, replay_run

app = typer.Typer(no_args_is_help=True, help="Simulators on their own, without a bench.")

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@app.command()
def xtdf(
    to: Annotated[
        str,
        typer.Option(help="Receiver of module 0, udp://host:port; module n sends to port + n."),
    ],
    kind: Annotated[Literal["agipd", "lpd", "dssc"], typer.Option(help="Kind of detector.")] = "agipd",
    detector: Annotated[str | None, typer.Option(help="Its name, e.g. HED_DET_AGIPD500K2G.")] = None,
    modules: Annotated[int | None, typer.Option(min=1, max=16, help="How many modules.")] = 1,
    cells: Annotated[int, typer.Option(min=1, max=800, help="Memory cells, one pulse each.")] = 4,
    pulse_step: Annotated[
        int, typer.Option(help="Ticks of 4.5 MHz between pulses: 1, 2, 4 (1.1 MHz) or 8.")
    ] = 4,
    parallel_gain: Annotated[bool, typer.Option(help="LPD: three frames for each pulse.")] = False,
    trains: Annotated[int, typer.Option(min=1, help="How many trains, at 10 Hz.")] = 10,
    illumination: Annotated[
        Literal["dark", "flat", "rings", "spots", "dummy"],
        typer.Option(help="What falls on the detector; dummy: the test picture of a DSSC."),
    ] = "rings",
    gain_mode: Annotated[
        Literal["adaptive", "fixed_high", "fixed_medium", "fixed_low"], typer.Option(help="Gain stage.")
    ] = "adaptive",
    seed: Annotated[int, typer.Option(help="Seed of the modules and their noise.")] = 1,
    prebuilt: Annotated[
        int, typer.Option(min=0, max=64, help="Trains made beforehand and sent again in turn; 0: none.")
    ] = 0,
    epoch_unix_ns: Annotated[
        int | None, typer.Option(help="Unix time of the first train id, nanoseconds; by default now.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Send trains of one or more modules to a receiver, at 10 Hz by wall time.

    Examples:

      stellwerk sim xtdf --cells 4 --trains 10 --to udp://127.0.0.1:4321

      stellwerk sim xtdf --kind lpd --modules 16 --cells 32 --parallel-gain --to udp://127.0.0.1:4321
    """
    from pydantic import ValidationError

    from sim.xtdf.config import AgipdTable, AnyTable, DsscTable, LpdTable
    from sim.xtdf.standalone import send_trains

    given = {
        "detector": detector,
        "modules": modules,
        "memory_cells": cells,
        "pulse_step": pulse_step,
        "prebuilt_trains": prebuilt,
        "parallel_gain": parallel_gain or None,
    }
    tables: dict[str, type[AnyTable]] = {"agipd": AgipdTable, "lpd": LpdTable, "dssc": DsscTable}
    try:
        table = tables[kind].model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        typer.echo(f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None
    if illumination == "dummy" and kind != "dssc":
        typer.echo("--illumination cannot be dummy: only a DSSC has a dummy readout", err=True)
        raise typer.Exit(2)
    sent = send_trains(
        table,
        to,
        trains=trains,
        illumination=illumination,
        gain_mode=gain_mode,
        seed=seed,
        epoch_unix_ns=epoch_unix_ns,
    )
    if json_output:
        typer.echo(json.dumps(sent))
    else:
        typer.echo(
            f"sent trains {sent['first_train_id']} to {sent['last_train_id']} of {len(table.channels)} "
            f"{kind.upper()} module(s) to {to}"
        )
        for problem in sent["problems"]:
            typer.echo(f"  {problem}", err=True)


app.command()(conformance)
app.command()(doc)
app.command()(domnet)
app.command()(fault)
app.command()(kinds)
app.command()(ls)
app.command()(rates)
app.command()(record)
app.command()(replay)
app.command("replay-run")(replay_run)
