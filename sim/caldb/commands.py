"""`stellwerk caldb`: the calibration catalogue on its own, and what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.caldb.client_commands import app as client_app
from sim.caldb.office.commands import app as user_app
from sim.caldb.remotes.command import remotes
from sim.caldb.store_commands import DatabaseOption, register

app = typer.Typer(
    no_args_is_help=True, help="The calibration catalogue: serve one, fill one, and look after its store."
)
app.add_typer(client_app, name="client")

app.add_typer(user_app, name="user")

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@app.callback()
def caldb() -> None:
    """The calibration catalogue: serve one, fill one, and look after its store."""


@app.command()
def serve(
    store: Annotated[Path, typer.Option(help="Folder of the catalogue and its constants files.")] = Path(
        "caldb"
    ),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free port.")] = 0,
    database: DatabaseOption = "",
    require_token: Annotated[bool, typer.Option(help="Answer only requests with a token.")] = False,
    token_lifetime: Annotated[int, typer.Option(min=1, help="Seconds until a token runs out.")] = 7200,
    json_output: JsonOption = False,
) -> None:
    """Serve a catalogue until Ctrl-C. The folder keeps everything for the next time.

    Example: stellwerk caldb serve --store runs/caldb --port 8080
    """
    import asyncio

    table = {
        "host": host,
        "port": port,
        "database": database,
        "require_token": require_token,
        "token_lifetime_s": token_lifetime,
    }
    asyncio.run(_serve(store.absolute(), table, json_output=json_output))


@app.command(name="list")
def list_versions(
    url: Annotated[str, typer.Argument(help="Base address of a catalogue, without /api.")],
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many versions at most.")] = 50,
    json_output: JsonOption = False,
) -> None:
    """List the constant versions that a catalogue holds.

    Example: stellwerk caldb list http://127.0.0.1:8080
    """
    import httpx

    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/api/calibration_constant_versions",
            params={"page_size": limit},
            timeout=10.0,
            trust_env=False,
        )
        versions = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        typer.echo(f"stellwerk: no catalogue answers at {url}: {error}", err=True)
        raise typer.Exit(3) from None
    if json_output:
        typer.echo(json.dumps(versions, indent=2))
        return
    for version in versions:
        typer.echo(_line(version))
    if not versions:
        typer.echo("the catalogue holds no versions yet")


register(app)
app.command()(remotes)


def _line(version: dict[str, Any]) -> str:
    unit = version["physical_detector_unit"]["physical_name"]
    constant = version["calibration_constant"]["name"]
    return f"{version['begin_at']}  {unit:<18} {constant:<44} {version['file_name']}"


async def _serve(store: Path, table: dict[str, Any], *, json_output: bool) -> None:
    import asyncio
    import signal

    from sim.caldb.kind import KIND
    from sim.kernel import FaultBoard, Surroundings, Telling, Transcript
    from sim.kernel.clock import wall_clock

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = wall_clock()
    await clock.start()
    surroundings = Surroundings(
        name=store.name,
        seed=0,
        data_dir=store.parent,
        clock=clock,
        endpoints={},
        faults=FaultBoard(store.name, KIND.faults),
        transcript=Transcript(None, lambda: clock.now),
    )
    servers = KIND.build(surroundings, KIND.config(**table))
    try:
        addresses = {name: await server.start() for name, server in servers.items()}
        if json_output:
            typer.echo(json.dumps(addresses))
        else:
            typer.echo(f"catalogue at {addresses['rest']}, its files in {addresses['store']}; Ctrl-C ends it")
            typer.echo(f"back office at {addresses['office']}")
            if access := addresses.get("remotes"):
                typer.echo(f"{len(access)} remotes, the first at {access[0]}; all of them with --json")
            for note in (n for s in servers.values() if isinstance(s, Telling) for n in s.notes()):
                typer.echo(note)
        await stop.wait()
    finally:
        for server in servers.values():
            await server.stop()
        await clock.stop()
