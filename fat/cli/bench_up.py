"""What `up`, `up --detach` and `down` do."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from fat.bench.file import BenchFile
from fat.cli.bench_commands import show_endpoints
from fat.errors import BenchError, ChildFailed, FatError
from fat.files import write_json_atomically

if TYPE_CHECKING:
    from fat.bench.bench import Bench

# Each command imports its own: a bench's servers, and the client of its control API, are a third of a start.

DETACH_TIMEOUT_S: Final = 120.0
DOWN_TIMEOUT_S: Final = 15.0


def foreground(file: BenchFile, endpoints: Path, *, json_output: bool, ready_fd: int | None) -> int:
    """Bring the bench up and keep it until Ctrl-C, SIGTERM, `down`, or until a part of it ends."""
    from fat.bench.process import run_bench, stop_on_signals

    started = time.monotonic()

    def on_ready(bench: Bench) -> None:
        write_json_atomically(endpoints, bench.endpoints)
        if ready_fd is not None:
            ready = {"endpoints": bench.endpoints, "token": bench.token, "notes": bench.notes}
            _tell(ready_fd, {"ready": ready})
        elif json_output:
            said = {"endpoints": bench.endpoints, "token": bench.token, "notes": bench.notes}
            typer.echo(json.dumps(said))
        else:
            typer.echo(
                f"{file.bench.name} is up after {time.monotonic() - started:.1f} s; Ctrl-C takes it down"
            )
            show_endpoints(bench)
            typer.echo(f"  written to {endpoints}")

    async def run() -> FatError | None:
        return await run_bench(file, on_ready=on_ready, until=stop_on_signals())

    try:
        broken = asyncio.run(run())
    except FatError as error:
        if ready_fd is not None:
            _tell(ready_fd, {"failed": str(error), "exit": error.exit_code})
        raise
    finally:
        endpoints.unlink(missing_ok=True)
    if broken is not None:
        raise broken
    if not json_output and ready_fd is None:
        typer.echo(f"{file.bench.name} is down")
    return 0


def detach(file: BenchFile, endpoints: Path, *, json_output: bool) -> int:
    """Start `up` in a session of its own; return when it is ready."""
    read_fd, write_fd = os.pipe()
    log = file.data_dir / "log" / "bench.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fat", "up", str(file.path.absolute())]
    command += ["--endpoints", str(endpoints.absolute()), "--ready-fd", str(write_fd)]
    with log.open("ab") as output:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(write_fd,),
            start_new_session=True,
        )
    os.close(write_fd)
    with os.fdopen(read_fd, "r", encoding="utf-8") as answers:
        ready, _, _ = select.select([answers], [], [], DETACH_TIMEOUT_S)
        line = answers.readline() if ready else ""
    answer: dict[str, Any] = (
        json.loads(line) if line else {"failed": "it ended, or hangs, before it was ready", "exit": 3}
    )
    if "failed" in answer:
        raise ChildFailed("up", answer["failed"], log, answer["exit"])
    if json_output:
        typer.echo(json.dumps(answer["ready"]))
    else:
        typer.echo(f"{file.bench.name} is up; `stellwerk down {file.path}` takes it down")
        typer.echo(f"  addresses  {endpoints}")
        typer.echo(f"  live page  {answer['ready']['endpoints']['web']}")
        typer.echo(f"  token      {answer['ready']['token']}")
        for note in answer["ready"]["notes"]:
            typer.echo(f"  {note}")
    return 0


def take_down(file: BenchFile, *, json_output: bool) -> None:
    """Stop the bench of this file's data folder and wait until its process is gone."""
    import psutil

    from fat.bench.client import ControlClient, running_bench

    state = running_bench(file.data_dir)
    client = ControlClient(state["endpoints"]["control"], state["token"])
    try:
        client.stop()
    finally:
        client.close()
    try:
        psutil.Process(state["pid"]).wait(DOWN_TIMEOUT_S)
    except psutil.NoSuchProcess:
        pass  # gone already
    except psutil.TimeoutExpired:
        raise BenchError(f"process {state['pid']} did not stop within {DOWN_TIMEOUT_S:.0f} s") from None
    typer.echo(json.dumps({"down": file.bench.name}) if json_output else f"{file.bench.name} is down")


def _tell(fd: int, message: dict[str, object]) -> None:
    with os.fdopen(fd, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(message) + "\n")
