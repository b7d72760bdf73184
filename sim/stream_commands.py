"""`stellwerk sim record | replay | replay-run`."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sim.errors import SimError

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@contextmanager
def _sentences() -> Iterator[None]:
    from sim.xtdf.stream_file import StreamDamaged

    try:
        yield
    except SimError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    except (StreamDamaged, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def record(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    listen: Annotated[
        list[str], typer.Option(help="Address to listen at, udp://host:port; may be repeated.")
    ],
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so long. Default: at Ctrl-C.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Record every datagram that arrives, with its time.

    Example: stellwerk sim record run.strm --listen udp://127.0.0.1:4321 --listen udp://127.0.0.1:4322
    """
    from sim.xtdf.stream import record as record_streams

    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if seconds is not None:
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()

    def bound(addresses: list[str]) -> None:
        if json_output:
            typer.echo(json.dumps({"listening": addresses}))
        else:
            typer.echo(f"listening at {', '.join(addresses)}; Ctrl-C ends the recording")

    with _sentences():
        count = record_streams(listen, out, stop, bound)
    typer.echo(json.dumps({"datagrams": count}) if json_output else f"{out}: {count} datagrams")


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recorded stream.")],
    to: Annotated[list[str], typer.Option(help="Receiver, udp://host:port; one for each recorded.")],
    speed: Annotated[float, typer.Option(min=0.01, help="How many times faster.")] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as the receivers read.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Send a recorded stream again: the same bytes with the same spacing.

    Example: stellwerk sim replay run.strm --to udp://127.0.0.1:4321
    """
    from sim.xtdf.stream import replay as replay_stream

    with _sentences():
        count = replay_stream(file, to, None if fast else speed)
    typer.echo(json.dumps({"datagrams": count}) if json_output else f"{file}: {count} datagrams sent")


def replay_run(
    run: Annotated[Path, typer.Argument(help="Directory of a raw run.")],
    to: Annotated[str, typer.Option(help="Receiver of module 0, udp://host:port; module n at port + n.")],
    trains: Annotated[str, typer.Option(help="Which trains, by position: from:to, e.g. 0:100.")] = ":",
    rate: Annotated[float, typer.Option(min=0.01, help="Trains in each second.")] = 10.0,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as the receivers read.")] = False,
    module: Annotated[list[int] | None, typer.Option(help="Only this module; may be repeated.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Send the trains of a recorded run again as datagrams.

    Example: stellwerk sim replay-run runs/demo/SPB/202601/p900001/raw/r0004 --to udp://127.0.0.1:4321
    """
    from sim.xtdf.link import parse_address
    from sim.xtdf.run_replay import modules_of
    from sim.xtdf.run_replay import replay_run as send_run

    start, colon, stop = trains.partition(":")
    if not colon or not all(part.isdigit() or not part for part in (start, stop)):
        raise typer.BadParameter(f"{trains!r} is no range of trains; write it as from:to, e.g. 0:100")
    chosen = slice(int(start) if start else 0, int(stop) if stop else None)
    with _sentences():
        host, port = parse_address(to)
        modules = [m for m in modules_of(run) if not module or m in module]
        receivers = {m: f"udp://{host}:{port + m}" for m in modules}
        count = send_run(run, receivers, chosen, None if fast else rate)
    found = {"trains": count, "modules": modules}
    typer.echo(json.dumps(found) if json_output else f"{run}: {count} trains of {len(modules)} modules sent")
