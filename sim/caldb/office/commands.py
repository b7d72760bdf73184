"""`stellwerk caldb user`: who may log in to the back office of a store."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sim.caldb.office.config import NAME_PATTERN, Role
from sim.caldb.office.passwords import PasswordRefused, check_new, hashed
from sim.caldb.store_commands import STORE, DatabaseOption, StoreOption, opened

if TYPE_CHECKING:
    # Every command line loads this file; only these commands need a database.
    from sqlalchemy import Connection

app = typer.Typer(no_args_is_help=True, help="Who may log in to the back office of a catalogue.")

NameArgument = Annotated[str, typer.Argument(help="The name to log in with.")]
RoleOption = Annotated[Role, typer.Option(help="read, or edit, which may do what read may.")]


@app.callback()
def user() -> None:
    """Who may log in to the back office of a catalogue."""


@app.command()
def add(
    name: NameArgument, role: RoleOption = "read", store: StoreOption = STORE, database: DatabaseOption = ""
) -> None:
    """Add a user, or give one another password and role. Asks for the password, or reads a line of stdin.

    Example: stellwerk caldb user add anna --role edit --store runs/demo/caldb
    """
    from sim.caldb.office.users import User, set_user, stored_user

    if not re.fullmatch(NAME_PATTERN, name):
        _fail(f"{name!r} cannot be a name: letters, digits and . _ @ - only, 60 at most")
    with _opened(store, database) as db:
        known = stored_user(db, name) is not None
        password = _new_password()
        set_user(db, User(name, role, hashed(password)))
    typer.echo(f"{name} {'has a new password and' if known else 'is added with'} the role {role}")


@app.command(name="list")
def list_users(store: StoreOption = STORE, database: DatabaseOption = "") -> None:
    """List the users of a store.

    Example: stellwerk caldb user list --store runs/demo/caldb
    """
    from sim.caldb.office.users import stored_users

    with _opened(store, database) as db:
        users = stored_users(db)
    for one in users:
        typer.echo(f"{one.name:<24} {one.role}")
    if not users:
        typer.echo("this store has no users; a bench prints a password of its own when it comes up")


@app.command()
def remove(name: NameArgument, store: StoreOption = STORE, database: DatabaseOption = "") -> None:
    """Remove a user. Sessions of this user end with their next request.

    Example: stellwerk caldb user remove anna --store runs/demo/caldb
    """
    from sim.caldb.office.users import remove_user

    with _opened(store, database) as db:
        if not remove_user(db, name):
            _fail(f"there is no user {name} in {store}")
    typer.echo(f"{name} is removed")


@app.command(name="hash")
def make_hash() -> None:
    """Print the hash of a password, for `password_hash` in a bench file.

    Example: stellwerk caldb user hash
    """
    typer.echo(hashed(_new_password()))


def _new_password() -> str:
    if sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        check_new(password)
    except PasswordRefused as refused:
        _fail(str(refused))
    return password


@contextmanager
def _opened(store: Path, database: str) -> Iterator[Connection]:
    with opened(store.absolute(), database, new=True) as engine, engine.begin() as db:
        yield db


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"stellwerk: {sentence}", err=True)
    raise typer.Exit(2)
