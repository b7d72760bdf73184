"""`stellwerk demo | up | down | status | check`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from fat.bench.bench import Bench

BenchArgument = Annotated[
    Path, typer.Argument(metavar="BENCH.toml", help="The bench file.", show_default=False)
]
SHOWN_OF_A_FAMILY: Final = 3
"""More addresses than two of numbered keys are told in one line; all stand in the endpoints file."""
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    for command in (demo, up, down, status, check):
        app.command()(command)


def demo(json_output: JsonOption = False) -> None:
    """Run a whole acceptance test on a simulated bench, and write a report.

    Example: stellwerk demo
    """
    from fat.acceptance.launch import run_new
    from fat.configs import shipped_bench

    raise typer.Exit(run_new(shipped_bench("demo"), json_output=json_output))


def up(
    bench: BenchArgument,
    endpoints: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the addresses. Default: endpoints.json in the bench's data folder."
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when all is ready; stop with `down`.")
    ] = False,
    json_output: JsonOption = False,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Bring a bench up and stay in the foreground; Ctrl-C takes it down.

    Examples:

      stellwerk up configs/demo.toml

      stellwerk up configs/demo.toml --endpoints run.json --detach
    """
    from fat.bench.file import load
    from fat.cli import bench_up

    file = load(bench)
    target = endpoints if endpoints is not None else file.data_dir / "endpoints.json"
    if detach:
        raise typer.Exit(bench_up.detach(file, target, json_output=json_output))
    raise typer.Exit(bench_up.foreground(file, target, json_output=json_output, ready_fd=ready_fd))


def down(bench: BenchArgument, json_output: JsonOption = False) -> None:
    """Take a bench down that is up.

    Example: stellwerk down configs/demo.toml
    """
    from fat.bench.file import load
    from fat.cli import bench_up

    bench_up.take_down(load(bench), json_output=json_output)


def status(bench: BenchArgument, json_output: JsonOption = False) -> None:
    """Show a bench that is up: clock, processes, addresses, faults and problems.

    Example: stellwerk status configs/demo.toml --json
    """
    from fat.bench.client import ControlClient, running_bench
    from fat.bench.file import load

    state = running_bench(load(bench).data_dir)
    client = ControlClient(state["endpoints"]["control"], state["token"])
    try:
        found = client.status()
    finally:
        client.close()
    if json_output:
        typer.echo(json.dumps(found, indent=2))
        return
    _show_status(found)


def check(bench: BenchArgument, json_output: JsonOption = False) -> None:
    """Check a bench file without starting anything.

    Example: stellwerk check configs/demo.toml
    """
    from fat.bench.file import load

    file = load(bench)
    summary: dict[str, Any] = {
        "bench": file.bench.name,
        "seed": file.bench.seed,
        "data_dir": str(file.data_dir),
        "clock": file.sim.clock.mode,
        "devices": {name: table.kind for name, table in file.sim.devices.items()},
        "pipeline": file.pipeline is not None,
        "plan": file.fat.plan,
    }
    if json_output:
        typer.echo(json.dumps(summary, indent=2))
        return
    devices = ", ".join(f"{name} ({kind})" for name, kind in summary["devices"].items()) or "none"
    typer.echo(f"{bench}: good")
    typer.echo(f"  bench     {summary['bench']}, seed {summary['seed']}, clock {summary['clock']}")
    typer.echo(f"  devices   {devices}")
    typer.echo(f"  pipeline  {'yes' if summary['pipeline'] else 'no'}")
    typer.echo(f"  plan      {summary['plan']}")
    typer.echo(f"  data      {summary['data_dir']}")


def show_endpoints(bench: Bench) -> None:
    """Print a bench's addresses and its token."""
    shown = {**_in_short(bench.endpoints), "token": bench.token}
    width = max(len(key) for key in shown)
    for key, address in shown.items():
        said = "   (changes through control, pipeline and web need it)" if key == "token" else ""
        typer.echo(f"  {key:<{width}}  {address}{said}")
    for note in bench.notes:
        typer.echo(f"  {note}")


def _in_short(endpoints: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Addresses by key, in order; families of numbered keys, such as `degg.5000`, in one line each."""
    families: dict[str, list[str]] = {}
    for key in sorted(endpoints, key=_natural):
        stem, dot, number = key.rpartition(".")
        families.setdefault(stem if dot and number.isdigit() else key, []).append(key)
    shown: dict[str, str] = {}
    for members in families.values():
        first, last = members[0], members[-1]
        if len(members) < SHOWN_OF_A_FAMILY:
            shown |= {key: _in_a_line(endpoints[key]) for key in members}
        else:
            number = last.rpartition(".")[2]
            shown[f"{first} … {number}"] = (
                f"{len(members)} addresses, {_in_a_line(endpoints[first])} … {_in_a_line(endpoints[last])}"
            )
    return shown


def _natural(key: str) -> tuple[str, int, str]:
    stem, dot, number = key.rpartition(".")
    return (stem, int(number), "") if dot and number.isdigit() else (key, 0, key)


def _in_a_line(address: str | list[str]) -> str:
    if isinstance(address, str):
        return address
    return f"{len(address)} addresses, the first {address[0]}" if address else "none"


def _show_status(found: dict[str, Any]) -> None:
    clock, devices = found["clock"], found["devices"]
    typer.echo(f"{found['bench']} is up; clock {clock['mode']}, {clock['now_ns'] / 1e9:.3f} s")
    for name, pid in found["processes"].items():
        device = devices.get(name, {})
        faults = ", ".join(device.get("faults", {})) or "none"
        typer.echo(f"  {name:<12} process {pid}" + (f"  faults on: {faults}" if device else ""))
        _show_problems(device)
    # A laboratory has dozens of parts: a person wants those with which something is the matter.
    for name, part in devices.items():
        if name not in found["processes"] and (part.get("faults") or part.get("problems")):
            typer.echo(f"  {name:<12} faults on: {', '.join(part['faults']) or 'none'}")
            _show_problems(part)
    shown = _in_short(found["endpoints"])
    width = max(18, *(len(key) for key in shown))
    for key, address in shown.items():
        typer.echo(f"  {key:<{width}} {address}")


def _show_problems(device: Mapping[str, Any]) -> None:
    for problem in device.get("problems", [])[-5:]:
        typer.echo(f"      ! {problem['at'] / 1e9:.3f} s  {problem['text']}")
