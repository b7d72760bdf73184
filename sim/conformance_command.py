"""`stellwerk sim conformance`."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

_SHOWN_REMARKS = 12


@dataclass(slots=True)
class Conduct:
    """What one client did."""

    requests: int = 0
    refused: int = 0
    changes: list[str] = field(default_factory=list)
    """PUT and DELETE, in their order."""
    events: list[str] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)


def conformance(
    bench: Annotated[Path, typer.Argument(metavar="BENCH.toml", help="A bench file; the bench may be down.")],
    device: Annotated[
        str | None, typer.Argument(help="Name of a control unit in it.", show_default=False)
    ] = None,
    requests: Annotated[
        bool, typer.Option("--requests", help="Show every change that a client asked for, in order.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Show what each client of a simulated control unit did, and what a real unit might mind.

    Examples:

      stellwerk sim conformance configs/demo.toml

      stellwerk sim conformance configs/demo.toml dcu --requests
    """
    found = {path.parent.name: path.parent for path in sorted(_folder(bench).glob("*/conformance.jsonl"))}
    if device is not None and device not in found:
        typer.echo(
            f"{bench}: no client of {device!r} has done anything yet; known: {_listed(found)}", err=True
        )
        raise typer.Exit(2)
    shown = {
        name: clients(read(folder)) for name, folder in found.items() if device is None or name == device
    }
    if json_output:
        typer.echo(json.dumps({name: _plain(each) for name, each in shown.items()}, indent=2))
        return
    if not shown:
        typer.echo("no client has done anything yet")
    for name, each in shown.items():
        for client, conduct in each.items():
            for line in described(name, client, conduct, requests):
                typer.echo(_printable(line))


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, oldest first. A line that is cut (the bench is being killed) is left out."""
    for name in ("conformance.1.jsonl", "conformance.jsonl"):
        path = folder / name
        if not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict):
                    yield entry


def clients(lines: Iterable[dict[str, Any]]) -> dict[str, Conduct]:
    """Conduct by client: its host and what it calls itself."""
    by_client: dict[str, Conduct] = {}
    polls: dict[tuple[str, ...], int] = {}
    for line in lines:
        client = f"{line.get('client', '?')} {line.get('agent') or '(no user agent)'}"
        if "event" in line:
            by_client.setdefault(str(line.get("client", "?")), Conduct()).events.append(str(line["event"]))
            continue
        conduct = by_client.setdefault(client, Conduct())
        method, path, status = str(line.get("method")), str(line.get("path")), int(line.get("status", 0))
        # A repeated GET says how often it came so far: only what is new since its last line counts.
        times, poll = int(line.get("times", 1)), (client, method, path, str(status))
        new = max(times - polls.get(poll, 0), 1) if "times" in line else 1
        polls[poll] = times
        conduct.requests += new
        conduct.refused += new if status >= 400 else 0
        if method not in ("GET", "HEAD"):
            conduct.changes.append(f"{method} {path} {line.get('body', '')} -> {status}")
        for remark in line.get("remarks", []):
            conduct.remarks[f"{method} {path}: {remark}"] += new
    return by_client


def described(device: str, client: str, conduct: Conduct, requests: bool) -> Iterator[str]:
    """Lines for a person."""
    yield f"{device}  {client}: at least {conduct.requests} requests, {conduct.refused} refused"
    if requests:
        yield from (f"    {change}" for change in conduct.changes)
    yield from (f"    {event}" for event in conduct.events[-_SHOWN_REMARKS:])
    for remark, times in conduct.remarks.most_common(_SHOWN_REMARKS):
        yield f"    {times:>6} x  {remark}"
    if len(conduct.remarks) > _SHOWN_REMARKS:
        yield f"    … and {len(conduct.remarks) - _SHOWN_REMARKS} other remarks"


def _printable(line: str) -> str:
    """What clients sent may hold control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in line)


def _plain(each: dict[str, Conduct]) -> dict[str, Any]:
    return {
        client: {
            "requests": conduct.requests,
            "refused": conduct.refused,
            "changes": conduct.changes,
            "events": conduct.events,
            "remarks": dict(conduct.remarks),
        }
        for client, conduct in each.items()
    }


def _folder(bench: Path) -> Path:
    try:
        table = tomllib.loads(bench.read_text(encoding="utf-8"))["bench"]
        return Path(str(table.get("data_dir") or f"runs/{table.get('name', '')}"))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        typer.echo(f"{bench} is no readable bench file ({error})", err=True)
        raise typer.Exit(2) from None


def _listed(found: Iterable[str]) -> str:
    return ", ".join(found) or "none"
