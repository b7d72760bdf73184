"""`stellwerk pipe tune`: sizes for an acquisition, measured, and which side limits. Imports are inside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.dectris_commands.options import (
    EXIT_INTERRUPTED,
    Api,
    AsJson,
    Bench,
    BytesPerFrame,
    Device,
    Format,
    FrameStackSize,
    FrameTime,
    Mode,
    NumSlots,
    Stream,
    Timeout,
    Workers,
    connected,
    interruptible,
    refuse,
)

if TYPE_CHECKING:
    from pipeline.dectris.probing import Tuning


def tune(
    bench: Bench = None,
    device: Device = "dcu",
    api: Api = None,
    stream: Stream = None,
    stream_format: Format = None,
    passive: Annotated[
        bool, typer.Option("--passive", help="Listen to the next series of somebody else; change nothing.")
    ] = False,
    mode: Mode = "ints",
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Length of the measured series.")] = 3.0,
    frame_time: FrameTime = None,
    timeout: Timeout = 10.0,
    num_slots: NumSlots = None,
    bytes_per_frame: BytesPerFrame = None,
    frame_stack_size: FrameStackSize = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Take a short series, say in words which side limits, and choose the sizes of the buffer.

    The reduction is a sum of all images. Sizes that are given are tried as they are.

    Examples:

      stellwerk pipe tune configs/arina.toml --device arina --frame-time 8.4e-6

      stellwerk pipe tune --api http://10.0.0.1 --stream tcp://10.0.0.1:9999 --passive --workers 2
    """
    from pipeline.dectris.probing import measure
    from pipeline.errors import PipelineError

    sizes = (num_slots, bytes_per_frame, frame_stack_size, workers)
    try:
        with connected(bench, device, api, stream, stream_format, sizes) as connection:
            tuning = measure(
                connection,
                mode=None if passive else mode,
                seconds=seconds,
                frame_time_s=frame_time,
                timeout_s=timeout,
                interruptible=interruptible,
            )
    except PipelineError as error:
        refuse(str(error), as_json, error.exit_code)
    except KeyboardInterrupt:
        refuse("interrupted before a series had started", as_json, EXIT_INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(_as_json(tuning)))
    else:
        _show(tuning)


def _show(tuning: Tuning) -> None:
    from rich.console import Console
    from rich.table import Table

    from pipeline.dectris.showing import choice_rows, outcome_lines

    console = Console()
    for line in outcome_lines(tuning.outcome):
        console.print(line, highlight=False)
    console.print()
    for sentence in tuning.verdict.sentences:
        console.print(sentence, highlight=False)
    table = Table("size", "ran with", "chosen", "because", box=None, pad_edge=False)
    before = {name: value for name, value, _ in choice_rows(tuning.outcome.choice)}
    for name, value, reason in choice_rows(tuning.choice):
        table.add_row(name, before[name], value, reason)
    console.print()
    console.print(table)
    words = ", ".join("--" + name.replace("_", "-") for name in before)
    console.print(
        f"\nEvery series chooses so by itself. To override: {words} of `stellwerk pipe acquire`, or the same words of "
        "pipeline.dectris.connection.connect.",
        highlight=False,
    )


def _as_json(tuning: Tuning) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "side": tuning.verdict.side,
        "sentences": tuning.verdict.sentences,
        "choice": asdict(tuning.choice),
        "ran_with": asdict(tuning.outcome.choice),
        "probe": asdict(tuning.probe),
        "complete": tuning.outcome.complete,
        "report": tuning.outcome.sentences(),
    }
