"""`stellwerk sim kinds`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sim.kernel import DeviceKind, FaultSpec


def kinds(
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """List the kinds of devices that can be simulated, and the faults that each can make.

    Example: stellwerk sim kinds
    """
    from sim.kernel.installed import installed_kinds

    installed = sorted(installed_kinds().values(), key=lambda kind: kind.name)
    if json_output:
        typer.echo(json.dumps({kind.name: _listed(kind) for kind in installed}, indent=2))
        return
    for kind in installed:
        typer.echo(f"{kind.name}: {kind.about}")
        for made in kind.faults:
            _show(made)
        for made, parts in by_fault(parts_of(kind)):
            _show(made, f" of {in_short(parts)}")


def parts_of(kind: DeviceKind) -> Mapping[str, Sequence[FaultSpec]]:
    """The parts with faults of their own that a device of that kind has by default."""
    return {} if kind.parts is None else kind.parts(kind.config())


def by_fault(parts: Mapping[str, Sequence[FaultSpec]]) -> list[tuple[FaultSpec, list[str]]]:
    """Each fault with the parts that have it."""
    found: list[tuple[FaultSpec, list[str]]] = []
    for part, specs in parts.items():
        for spec in specs:
            same = next((names for known, names in found if known == spec), None)
            if same is None:
                found.append((spec, [part]))
            else:
                same.append(part)
    return found


def in_short(names: Iterable[str]) -> str:
    """Names in a line; of many that differ in a number, the first and the last."""
    shown: list[str] = []
    for stem, members in groupby(names, key=_stem):
        group = list(members)
        shown += group if stem is None or len(group) < 3 else [f"{group[0]} … {group[-1]}"]
    return ", ".join(shown)


def _stem(name: str) -> str | None:
    stem, dot, number = name.rpartition(".")
    return stem if dot and number.isdigit() else None


def _listed(kind: DeviceKind) -> dict[str, Any]:
    return {
        "about": kind.about,
        "needs": list(kind.needs),
        "faults": _faults(kind.faults),
        "parts": {part: _faults(specs) for part, specs in parts_of(kind).items()},
    }


def _faults(specs: Iterable[FaultSpec]) -> dict[str, Any]:
    return {
        spec.name: {"about": spec.about, "shown_by": spec.shown_by, "parameters": dict(spec.parameters)}
        for spec in specs
    }


def _show(made: FaultSpec, of: str = "") -> None:
    parameters = ", ".join(f"{name}={value!r}" for name, value in made.parameters.items())
    typer.echo(f"  {made.name}({parameters}){of}")
    typer.echo(f"      {made.about}")
    typer.echo(f"      shown by: {made.shown_by}")
