"""What the commands for a control unit have in common: options, the way to the unit, Ctrl-C, refusals."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pipeline.dectris.connection import Connection

EXIT_FAIL, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 75

Bench = Annotated[
    Path | None, typer.Argument(help="Bench file of a bench that is up; or give --api and --stream.")
]
Device = Annotated[str, typer.Option(help="Name of the control unit in the bench file.")]
Api = Annotated[str | None, typer.Option(help="REST address, http://HOST[:PORT].", show_default=False)]
Stream = Annotated[str | None, typer.Option(help="Stream address, tcp://HOST:PORT.", show_default=False)]
Format = Annotated[
    str | None,
    typer.Option("--format", help="legacy or cbor; by default what the unit is set to.", show_default=False),
]
Mode = Annotated[str, typer.Option(help="Trigger mode: ints, inte, exts, exte, extg, eies.")]
CountTime = Annotated[float | None, typer.Option(help="Exposure, s.", show_default=False)]
FrameTime = Annotated[float | None, typer.Option(help="From one image to the next, s.", show_default=False)]
NumSlots = Annotated[
    int | None, typer.Option(min=2, help="Slots of the buffer; by default chosen.", show_default=False)
]
BytesPerFrame = Annotated[
    int | None,
    typer.Option(min=1, help="Expected compressed bytes of an image; by default chosen.", show_default=False),
]
FrameStackSize = Annotated[
    int | None, typer.Option(min=1, help="Images in a slot; by default chosen.", show_default=False)
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=256, help="Threads that reduce; by default chosen.", show_default=False),
]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds without any message that are waited.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for each series.")]


@contextmanager
def connected(
    bench: Path | None,
    device: str,
    api: str | None,
    stream: str | None,
    stream_format: str | None,
    sizes: tuple[int | None, ...],
) -> Iterator[Connection]:
    """A connection to the unit that the options name. Raises SettingRejected and the client's errors."""
    from pipeline.dectris.addresses import of_bench
    from pipeline.dectris.client import DcuClient
    from pipeline.dectris.connection import connect
    from pipeline.errors import SettingRejected

    if bench is not None:
        addresses = of_bench(bench, device)
        if stream_format is None:
            with DcuClient(addresses.api) as client:
                stream_format = str(client.get("format", module="stream"))
        api, stream = api or addresses.api, stream or addresses.of_format(stream_format)
    if api is None or stream is None:
        raise SettingRejected(
            "the control unit", "not given", "the bench file of a bench that is up, or --api and --stream"
        )
    num_slots, bytes_per_frame, frame_stack_size, workers = sizes
    with connect(
        api,
        stream,
        stream_format=stream_format,
        num_slots=num_slots,
        bytes_per_frame=bytes_per_frame,
        frame_stack_size=frame_stack_size,
        workers=workers,
    ) as connection:
        yield connection


@contextmanager
def interruptible(abort: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call *abort*, instead of ending the process."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: abort()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse(sentence: str, as_json: bool, code: int = EXIT_USAGE) -> NoReturn:
    """Say why nothing is done, and end with *code*."""
    if as_json:
        typer.echo(json.dumps({"error": sentence}))
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
