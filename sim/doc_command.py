"""`stellwerk sim doc`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.kernel import DeviceKind
    from sim.kernel.figures import ListedFigure

OriginName = Literal["sourced", "general knowledge", "design choice"]


def figures_of(kind: DeviceKind) -> Iterator[ListedFigure]:
    """The figures that a kind's table has, with their keys in that table."""
    from sim.kernel.figures import Figures, listed

    for name, field in kind.config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Figures):
            yield from listed(field.annotation, f"{name}.")


def doc(
    word: Annotated[
        str | None, typer.Argument(help="Show only figures in whose key or meaning this stands.")
    ] = None,
    origin: Annotated[OriginName | None, typer.Option(help="Show only figures of this origin.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """List the figures of the simulators that nobody published: value, unit, origin, meaning.

    Each may be set in the bench file, in the device's own table.

    Examples:

      stellwerk sim doc

      stellwerk sim doc humidity

      stellwerk sim doc --origin "general knowledge" --json
    """
    from dataclasses import asdict

    from sim.kernel.installed import installed_kinds

    found = {
        name: [figure for figure in figures_of(kind) if _wanted(figure, word, origin)]
        for name, kind in sorted(installed_kinds().items())
    }
    if json_output:
        typer.echo(
            json.dumps({name: [asdict(figure) for figure in each] for name, each in found.items()}, indent=2)
        )
        return
    if not any(found.values()):
        typer.echo("no figure is like that", err=True)
        raise typer.Exit(2)
    for name, figures in found.items():
        if figures:
            typer.echo(f'{name}: in a table with kind = "{name}"')
        for figure in figures:
            shown = json.dumps(figure.value)
            typer.echo(
                f"  {figure.key} = {shown}{f' {figure.unit}' if figure.unit else ''}   ({figure.origin})"
            )
            typer.echo(f"      {figure.about}")


def _wanted(figure: ListedFigure, word: str | None, origin: str | None) -> bool:
    if origin is not None and figure.origin != origin:
        return False
    return word is None or word.lower() in f"{figure.key} {figure.about}".lower()
