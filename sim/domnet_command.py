"""`stellwerk sim domnet`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

from sim.errors import SimError


def domnet(
    usb: Annotated[str, typer.Argument(metavar="USB", help="The field hub's USB device; only repeated.")],
    bench: Annotated[
        Path,
        typer.Option(
            envvar="STELLWERK_BENCH",
            metavar="BENCH.toml",
            help="The file of a bench with a laboratory that is up.",
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="Domnet's configuration: [fieldhub] dac_amp, adc_thresh."),
    ] = None,
    base_port: Annotated[
        int, typer.Option("-p", "--port", min=1, max=64_000, help="First device port of the group.")
    ] = 5000,
    modules: Annotated[
        int, typer.Option("-n", min=1, max=8, help="Device ports, from the first one on.")
    ] = 8,
) -> None:
    """Stand in for the program that leads from a field hub to its modules, so that set-up scripts find it.

    Three lines on stderr tell which ICMs answer; then the group's device ports and its command port lead to the
    simulated ones until Ctrl-C. Scripts call it `domnet`: put a file of that name in the path that holds

      #!/bin/sh

      exec stellwerk sim domnet --bench configs/lab.toml "$@"

    Example: stellwerk sim domnet /dev/ttyUSB0 -c domnet.ini -p 5004 -n 4 --bench configs/lab.toml
    """
    from sim.domnet import Group, bind, close, detect, forward, lines, settings
    from sim.running_bench import RunningBench

    def ready() -> None:
        for line in lines(usb, group, addresses):
            typer.echo(line, err=True)

    async def run() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await forward(taken, ready)

    taken: list[tuple[socket.socket, tuple[str, int]]] = []
    try:
        registers = {} if config is None else settings(config)
        group = Group.of(RunningBench.of(bench).endpoints, base_port, modules)
        taken = bind(group.routes())
        addresses = detect(group, registers)
        asyncio.run(run())
    except SimError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    finally:
        close(taken)
