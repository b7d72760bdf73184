"""`stellwerk caldb remotes`: how the remotes of a calibration database are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sim.errors import SimError

COLUMNS: Final = (
    ("remote", "remote", 30),
    ("state", "state", 16),
    ("requests", "requests", 9),
    ("requests_per_s", "per s", 7),
    ("highest_requests_per_s", "most per s", 11),
    ("waiting", "waiting", 8),
    ("highest_waiting", "most waiting", 13),
    ("slowest_answer_s", "slowest s", 10),
    ("refused", "refused", 8),
    ("kills", "kills", 6),
)
"""Field, heading, width."""


class NoRemotes(SimError):
    """Nothing says where remotes are."""

    exit_code = 2


def remotes(
    where: Annotated[
        list[str],
        typer.Argument(
            metavar="WHERE...",
            help="The file of a bench that is up, an endpoints file, or tcp:// addresses of remotes.",
            show_default=False,
        ),
    ],
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds to wait for all answers.")] = 2.0,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Show state, requests and waiting requests of each remote. Exit code 3 when one does not answer.

    Examples:

      stellwerk caldb remotes configs/demo.toml

      stellwerk caldb remotes tcp://127.0.0.1:8015#8044 --json
    """
    try:
        addresses = [address for one in where for address in _addresses(one)]
    except NoRemotes as error:
        typer.echo(f"stellwerk: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    found = ask_all(addresses, timeout)
    if json_output:
        typer.echo(json.dumps(found, indent=2))
    else:
        _print(found)
    if any(one["state"] == "no answer" for one in found):
        raise typer.Exit(3)


def _addresses(where: str) -> list[str]:
    if where.startswith("tcp://"):
        return _range(where)
    found = [
        address
        for key, listed in _endpoints(Path(where)).items()
        if key.endswith(".remotes") and isinstance(listed, list)
        for address in listed
    ]
    if not found:
        raise NoRemotes(
            f"{where} names no remotes; its catalogue has `remotes = 0`, or it is no endpoints file"
        )
    return found


def _range(address: str) -> list[str]:
    """The addresses of `tcp://host:8015#8044`, the facility's way to write a range of ports."""
    base, colon, ports = address.rpartition(":")
    first, hash_sign, last = ports.partition("#")
    if not hash_sign:
        return [address]
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536):
        raise NoRemotes(f"{address} is no range of ports; write tcp://host:8015#8044")
    return [f"{base}{colon}{port}" for port in range(int(first), int(last) + 1)]


def _endpoints(path: Path) -> dict[str, Any]:
    """Addresses of an endpoints file, or of the bench that is up under a bench file."""
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".toml":
            return dict(json.loads(text))
        table = tomllib.loads(text)["bench"]
        folder = Path(str(table.get("data_dir") or f"runs/{table.get('name', '')}"))
        return dict(json.loads((folder / "bench.json").read_text(encoding="utf-8"))["endpoints"])
    except FileNotFoundError as error:
        raise NoRemotes(
            f"{error.filename} is not there; start the bench with `stellwerk up BENCH.toml`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoRemotes(f"{path} is neither a bench file nor an endpoints file ({error!r})") from None


def ask_all(addresses: list[str], timeout_s: float) -> list[dict[str, Any]]:
    """The status of each remote in the order of *addresses*; state `no answer` where there is none in time."""
    import msgpack
    import zmq

    from sim.caldb.remotes.messages import SCHEMA

    request = bytes(msgpack.packb({"schema": SCHEMA, "id": 1, "operation": "status"}))
    found: dict[str, dict[str, Any]] = {
        address: {"remote": address, "state": "no answer"} for address in addresses
    }
    context = zmq.Context()
    poller, sockets = zmq.Poller(), {}
    try:
        for address in found:
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            sockets[socket] = address
            socket.connect(address)
            socket.send(request)
            poller.register(socket, zmq.POLLIN)
        give_up_at = time.monotonic() + timeout_s
        waiting = len(found)
        while waiting and (left_s := give_up_at - time.monotonic()) > 0:
            for socket, _ in poller.poll(round(1000 * left_s) + 1):
                found[sockets[socket]] |= _read_status(socket.recv_multipart()[0])
                poller.unregister(socket)
                waiting -= 1
    except zmq.ZMQError as error:
        raise typer.BadParameter(f"an address cannot be used: {error}") from None
    finally:
        context.destroy(linger=0)
    return [{**content, "address": address} for address, content in found.items()]


def _read_status(raw: bytes) -> dict[str, Any]:
    import msgpack

    try:
        answer = msgpack.unpackb(raw)
        return {name: value for name, value in answer.items() if name not in ("schema", "id", "ok")}
    except (ValueError, TypeError, AttributeError, msgpack.exceptions.UnpackException):
        return {"state": "is no remote"}


def _print(found: list[dict[str, Any]]) -> None:
    typer.echo("  ".join(f"{heading:<{width}}" for _, heading, width in COLUMNS).rstrip())
    for one in found:
        typer.echo("  ".join(f"{_shown(one.get(field)):<{width}}" for field, _, width in COLUMNS).rstrip())


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(sum(value.values()))
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)
