"""What the shifter's commands show: lines, tables, progress; for programs nothing but the JSON at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fat.errors import UsageError
from fat.output import console

GOOD: Final = ("✔", "green")
BAD: Final = ("✘", "bold red")
SKIPPED: Final = ("–", "dim")
WIDTH_OF_NO_TERMINAL: Final = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of results: whether it is well (None: not asked for), what, and what was found."""

    ok: bool | None
    what: str
    found: str


class Teller:
    """Shows things. With *quiet* everything goes to standard error, in plain lines: standard output is for JSON."""

    def __init__(self, *, quiet: bool = False, yes: bool = False) -> None:
        self.quiet, self._yes = quiet, yes
        stream = sys.stderr if quiet else sys.stdout
        self.console = console(stream, width=None if stream.isatty() else WIDTH_OF_NO_TERMINAL)

    def say(self, text: str | Text = "", style: str = "") -> None:
        """A line."""
        if not self.quiet:
            self.console.print(Text(text, style=style) if isinstance(text, str) else text, soft_wrap=True)

    def heading(self, text: str) -> None:
        """A line above what follows."""
        self.say()
        self.say(text, style="bold")

    def rows(self, rows: Sequence[Row]) -> None:
        """Results, a shape and words for each: nobody needs the colours."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(width=3, justify="right")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in rows:
            shape, colour = SKIPPED if row.ok is None else GOOD if row.ok else BAD
            style = "dim" if row.ok is None else ""
            table.add_row(Text(shape, colour), Text(row.what, style), Text(row.found, style))
        if not self.quiet:
            self.console.print(table)

    def table(self, columns: Sequence[str], lines: Sequence[Sequence[str | Text]]) -> None:
        """A table with a heading for each column."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for line in lines:
            table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in line))
        if not self.quiet:
            self.console.print(table)

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal, nothing in a log; gives what sets how much is done."""
        progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=self.quiet or not self.console.is_interactive,
        )
        with progress:
            task = progress.add_task(text, total=total)
            yield lambda done: progress.update(task, completed=done)

    @contextmanager
    def doing(self, text: str) -> Iterator[Callable[[str], None]]:
        """A turning sign beside what is being done, on a terminal; gives what changes the words."""
        if self.quiet or not self.console.is_interactive:
            yield lambda _text: None
            return
        with self.console.status(f"  {text}") as status:
            yield lambda more: status.update(f"  {more}")

    def confirm(self, question: str, given: bool | None = None, *, default: bool = False) -> bool:
        """Ask, unless it was answered on the command line or all is answered with yes.

        Raises UsageError where nobody can be asked.
        """
        if given is not None:
            return given
        if self._yes:
            self.say(f"{question} yes (--yes)")
            return True
        if not sys.stdin.isatty():
            raise UsageError(
                f"{question} Nobody can be asked here; give --yes, or the option that answers it"
            )
        return typer.confirm(question, default=default, err=self.quiet)

    def result(self, body: Mapping[str, Any]) -> None:
        """What programs read."""
        if self.quiet:
            typer.echo(json.dumps(body))
