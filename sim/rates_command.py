"""`stellwerk sim rates`: what the links of a detector send, or would."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sim.errors import SimError

TEN_GIGABIT_BYTES = 1.25e9
TRAINS_PER_S = 10


def rates(
    bench: Annotated[
        Path | None,
        typer.Argument(metavar="[BENCH.toml]", help="The file of a bench that is up.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="The detector's name in the bench.")] = "agipd",
    kind: Annotated[
        Literal["agipd", "lpd", "dssc"], typer.Option(help="Without a bench: kind of detector.")
    ] = "agipd",
    cells: Annotated[
        list[int] | None, typer.Option(help="Without a bench: frames of a train; may be repeated.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="With a bench: measure for so long.")] = 2.0,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Show what each link of a detector really sends; without a bench, what it would at ten trains a second.

    Examples:

      stellwerk sim rates configs/agipd-1m.toml --device agipd --seconds 5

      stellwerk sim rates --kind lpd --cells 300 --cells 512
    """
    try:
        found = _computed(kind, cells or _usual(kind)) if bench is None else _measured(bench, device, seconds)
    except SimError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    if json_output:
        typer.echo(json.dumps(found))
        return
    _print(found)


def _usual(kind: str) -> list[int]:
    """Numbers of frames that are in use."""
    return {
        "agipd": [4, 32, 64, 76, 128, 176, 202, 250, 352],
        "lpd": [1, 100, 300, 512],
        "dssc": [2, 400, 800],
    }[kind]


def _computed(kind: str, cells: list[int]) -> list[dict[str, Any]]:
    from sim.xtdf import layout

    wire = {"agipd": layout.AGIPD, "lpd": layout.LPD, "dssc": layout.DSSC}[kind]
    rows = []
    for frames in cells:
        if not 0 <= frames <= wire.max_cells:
            raise SimError(f"{frames} frames cannot be; {wire.detector} has {wire.max_cells} memory cells")
        size = layout.block_layout(wire.bytes_per_pulse, wire.detector_bytes, frames).total
        datagrams = layout.packet_count(size)
        on_wire = size + datagrams * layout.DATAGRAM_TRAILER
        rows.append(
            {
                "frames": frames,
                "block_bytes": size,
                "datagrams": datagrams,
                "last_payload": layout.last_payload(size),
                "mb_per_s_module": round(on_wire * TRAINS_PER_S / 1e6, 2),
                "gb_per_s_16_modules": round(16 * on_wire * TRAINS_PER_S / 1e9, 3),
                "of_10gbe_percent": round(100 * on_wire * TRAINS_PER_S / TEN_GIGABIT_BYTES, 1),
            }
        )
    return rows


def _measured(bench: Path, device: str, seconds: float) -> list[dict[str, Any]]:
    from sim.running_bench import RunningBench

    running = RunningBench.of(bench)
    before, began = running.detector(device), time.monotonic()
    time.sleep(seconds)
    after, took = running.detector(device), time.monotonic() - began
    rows = []
    for module, link in after["links"].items():
        old = before["links"][module]
        sent = link["bytes"] - old["bytes"]
        trains = (after["trains_sent"] - before["trains_sent"]) / took
        rows.append(
            {
                "module": int(module),
                "trains_per_s": round(trains, 2),
                "images_per_s": round(trains * after["frames"], 1),
                "datagrams_per_s": round((link["datagrams"] - old["datagrams"]) / took, 1),
                "mb_per_s": round(sent / took / 1e6, 3),
                "of_10gbe_percent": round(100 * sent / took / TEN_GIGABIT_BYTES, 2),
                "refused": link["refused"],
            }
        )
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for key in rows[0]:
        table.add_column(key.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{value:,}".replace(",", " ") for value in row.values()))
    Console().print(table)
