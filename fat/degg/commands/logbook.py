"""`stellwerk fat logbook …`"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from fat.degg.logbook.book import Entry

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

PASSWORD_VARIABLE: Final = "STELLWERK_LOGBOOK_PASSWORD"
BookOption = Annotated[
    Path, typer.Option("--book", metavar="DIR", envvar="STELLWERK_LOGBOOK", help="Folder of the logbook.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
UserOption = Annotated[str, typer.Option("--user", help="Who writes.")]
DEFAULT_BOOK: Final = Path("logbook")


@app.callback()
def logbook() -> None:
    """The shifters' logbook: forms to fill in, entries that stay. Passwords are asked for, or in a variable.

    STELLWERK_LOGBOOK names the folder, STELLWERK_LOGBOOK_PASSWORD the password.
    """


@app.command("add-user")
def add_user(name: str, book: BookOption = DEFAULT_BOOK) -> None:
    """Make a user.

    Example: stellwerk fat logbook add-user ada
    """
    from fat.degg.logbook.users import Users

    Users(book).add(name, _password(confirm=True))
    typer.echo(f"user {name} in {book}")


@app.command()
def forms(json_output: JsonOption = False) -> None:
    """Show the forms and their fields."""
    from fat.degg.logbook.forms import FORMS

    if json_output:
        told = {name: {f.name: [f.label, f.kind, f.needed] for f in fields} for name, fields in FORMS.items()}
        typer.echo(json.dumps(told))
        return
    for name, fields in FORMS.items():
        typer.echo(name)
        for field in fields:
            hint = field.hint + ("" if field.needed else " (may be empty)")
            typer.echo(f"   {field.name:<30}{field.label:<36}{hint.strip()}")


@app.command()
def write(
    form: Annotated[
        str, typer.Argument(help="start-run, start-shift, end-shift, check-list, freezer-access, post")
    ],
    user: UserOption,
    field: Annotated[list[str] | None, typer.Option("--field", "-f", metavar="NAME=VALUE")] = None,
    book: BookOption = DEFAULT_BOOK,
    json_output: JsonOption = False,
) -> None:
    """Fill a form in. Fields that are not given are asked for at a terminal.

    Examples:

      stellwerk fat logbook write check-list --user ada

      stellwerk fat logbook write post --user ada -f about=hardware -f text="fibre 3 replaced"
    """
    from fat.degg.logbook.book import Logbook
    from fat.degg.logbook.forms import read_form
    from fat.degg.logbook.users import Users

    given = _given(field or [])
    if sys.stdin.isatty():
        _ask(form, given)
    values = read_form(form, given)
    Users(book).demand(user, _password())
    entry = Logbook(book).add(user, form, values)
    typer.echo(json.dumps(_as_json(entry)) if json_output else f"entry {entry.number}, {entry.at}")


@app.command("list")
def list_entries(
    form: Annotated[str | None, typer.Option(help="Only entries of this form.")] = None,
    book: BookOption = DEFAULT_BOOK,
    json_output: JsonOption = False,
) -> None:
    """Show all entries, one line each."""
    entries = [entry for entry in _entries(book) if form in (None, entry.form)]
    if json_output:
        typer.echo(json.dumps([_as_json(entry) for entry in entries]))
        return
    from fat.degg.logbook.shown import gist

    for entry in entries:
        typer.echo(f"{entry.number:>5}  {entry.at}  {entry.user:<12}{entry.form:<16}{gist(entry)}")


@app.command()
def show(number: int, book: BookOption = DEFAULT_BOOK, json_output: JsonOption = False) -> None:
    """Show one entry."""
    from fat.degg.logbook.forms import FORMS
    from fat.degg.logbook.shown import shown
    from fat.errors import UsageError

    entries = _entries(book)
    if not 1 <= number <= len(entries):
        raise UsageError(f"there is no entry {number} in {book}; there are {len(entries)}")
    entry = entries[number - 1]
    if json_output:
        typer.echo(json.dumps(_as_json(entry)))
        return
    typer.echo(f"Entry {entry.number}: {entry.form}, {entry.at}, {entry.user}")
    labels = {field.name: field.label for field in FORMS.get(entry.form, ())}
    for name, value in entry.values.items():
        typer.echo(f"   {labels.get(name, name)}: {shown(value)}")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="NAME.json or NAME.csv")],
    book: BookOption = DEFAULT_BOOK,
) -> None:
    """Write all entries into a file.

    Example: stellwerk fat logbook export run_12.csv
    """
    from fat.errors import UsageError
    from fat.files import write_bytes_atomically

    entries = _entries(book)
    if target.suffix == ".json":
        text = json.dumps([_as_json(entry) for entry in entries], indent=2) + "\n"
    elif target.suffix == ".csv":
        text = _as_csv(entries)
    else:
        raise UsageError(f"{target}: the logbook is exported as .json or .csv")
    write_bytes_atomically(target, text.encode())
    typer.echo(f"{target}: {len(entries)} entries")


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="An address of this machine; beyond loopback others reach it.")
    ] = "127.0.0.1",
    book: BookOption = DEFAULT_BOOK,
) -> None:
    """Show the logbook in browsers, forms and entries, until Ctrl-C. Whoever writes gives their password.

    Example: stellwerk fat logbook serve --port 8090
    """
    import asyncio

    from fat.degg.logbook.page.serving import serve_until_told

    asyncio.run(
        serve_until_told(
            book, host, port, lambda address: typer.echo(f"logbook {book} at {address}  (Ctrl-C ends)")
        )
    )


def _entries(book: Path) -> list[Entry]:
    from fat.degg.logbook.book import Logbook

    return Logbook(book).entries()


def _given(fields: list[str]) -> dict[str, str]:
    from fat.errors import UsageError

    pairs = [field.partition("=") for field in fields]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise UsageError(f"a field is given as NAME=VALUE, not {wrong!r}")
    return {name.strip(): value for name, _, value in pairs}


def _ask(name: str, given: dict[str, str]) -> None:
    """Ask for the fields that were not given, each until it is right."""
    from fat.degg.logbook.forms import form

    for field in form(name):
        while field.name not in given:
            hint = f" ({field.hint})" if field.hint else ""
            text = str(typer.prompt(f"{field.label}{hint}", default="", show_default=False))
            try:
                field.read(text)
                given[field.name] = text
            except ValueError as error:
                typer.echo(f"   {error}")


def _password(*, confirm: bool = False) -> str:
    told = os.environ.get(PASSWORD_VARIABLE)
    return (
        told
        if told is not None
        else str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm))
    )


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at,
        "user": entry.user,
        "form": entry.form,
        "values": dict(entry.values),
    }


def _as_csv(entries: list[Entry]) -> str:
    from fat.degg.logbook.shown import shown

    names = list(dict.fromkeys(name for entry in entries for name in entry.values))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["number", "at", "user", "form", *names])
    for entry in entries:
        row = [shown(entry.values.get(name, "")) for name in names]
        writer.writerow([entry.number, entry.at, entry.user, entry.form, *map(_harmless, row)])
    return text.getvalue()


def _harmless(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return (
        f"'{text}"
        if text[:1] in ("=", "+", "@", "\t", "\r") or (text[:1] == "-" and not _number(text))
        else text
    )


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
