"""Questions at the terminal."""

from __future__ import annotations

import sys

import typer

from fat.degg.new_run import Answers


def at_terminal(*, yes: bool, comment: str | None) -> Answers:
    """Ask at the terminal; with *yes* and a *comment* nobody is asked, and nothing is given up that works."""

    def ask_yes(question: str) -> bool:
        if not yes:
            return typer.confirm(question, default=False, err=True)
        typer.echo(f"{question} no (--yes)", err=True)
        return False

    def ask_text(question: str) -> str:
        if comment is not None:
            return comment
        return "" if yes or not sys.stdin.isatty() else str(typer.prompt(question, default="", err=True))

    return Answers(ask_yes, ask_text, lambda line: typer.echo(line, err=True))
