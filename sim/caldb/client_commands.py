"""`stellwerk caldb client`: who may ask a catalogue for tokens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.caldb.clients import (
    LONGEST_SECRET,
    ClientsUnreadable,
    SecretHash,
    new_secret,
    read_clients,
    write_clients,
)

app = typer.Typer(no_args_is_help=True, help="The OAuth clients that are registered on a catalogue's store.")

StoreOption = Annotated[Path, typer.Option(help="Folder of the catalogue.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
ClientId = Annotated[str, typer.Argument(help="The client's id.")]
DEFAULT_STORE = Path("caldb")


@app.callback()
def client() -> None:
    """The OAuth clients that are registered on a catalogue's store."""


@app.command()
def add(
    client_id: ClientId,
    store: StoreOption = DEFAULT_STORE,
    secret_stdin: Annotated[bool, typer.Option(help="Read the secret from standard input.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Register a client, or give it a new secret. The secret is shown once; only its hash is kept.

    A catalogue that is being served sees the change when it is started again.
    Example: stellwerk caldb client add beamline --store runs/caldb
    """
    if not client_id or ":" in client_id or not client_id.isprintable():
        typer.echo("stellwerk: a client's id is a text without colons", err=True)
        raise typer.Exit(2)
    secret = sys.stdin.readline().rstrip("\n") if secret_stdin else new_secret()
    if not 8 <= len(secret) <= LONGEST_SECRET:
        typer.echo(f"stellwerk: a secret has 8 to {LONGEST_SECRET} characters", err=True)
        raise typer.Exit(2)
    hashed = SecretHash.of(secret)
    write_clients(store, {**_read(store), client_id: hashed})
    shown = {"id": client_id, "secret_hash": str(hashed)} | ({} if secret_stdin else {"secret": secret})
    if json_output:
        typer.echo(json.dumps(shown))
        return
    typer.echo("\n".join(f"{name:<12} {value}" for name, value in shown.items()))


@app.command(name="list")
def list_clients(store: StoreOption = DEFAULT_STORE, json_output: JsonOption = False) -> None:
    """List the ids of the registered clients.

    Example: stellwerk caldb client list --store runs/caldb
    """
    ids = sorted(_read(store))
    typer.echo(json.dumps(ids) if json_output else "\n".join(ids) or "no client is registered")


@app.command()
def remove(client_id: ClientId, store: StoreOption = DEFAULT_STORE) -> None:
    """Take a client off the list. When the last one goes, nobody gets a token.

    Example: stellwerk caldb client remove beamline --store runs/caldb
    """
    clients = _read(store)
    if clients.pop(client_id, None) is None:
        typer.echo(f"stellwerk: no client {client_id!r} is registered on {store}", err=True)
        raise typer.Exit(2)
    write_clients(store, clients)


def _read(store: Path) -> dict[str, SecretHash]:
    try:
        return read_clients(store) or {}
    except ClientsUnreadable as error:
        typer.echo(f"stellwerk: {error}", err=True)
        raise typer.Exit(2) from None
