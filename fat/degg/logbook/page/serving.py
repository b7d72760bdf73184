"""Serving the logbook until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from fat.bench.web_server import WebServer
from fat.degg.logbook.page.app import make_app
from fat.errors import UsageError

LOCAL_NAMES: Final = ("127.0.0.1", "localhost")


async def serve_until_told(folder: Path, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the logbook in *folder* until SIGINT or SIGTERM. *ready* is called with the address once it answers.

    Raises PortInUse, UsageError for an address that this machine does not have.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    server = WebServer("logbook", make_app(folder, hosts_for(host)), host=host, port=port)
    try:
        ready(await server.start())
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}: {error.strerror}; name an IPv4 address of this machine"
        ) from None
    try:
        await told.wait()
    finally:
        await server.stop()


def hosts_for(host: str) -> tuple[str, ...]:
    """Names under which pages are answered: on loopback only its own, so that no foreign name leads to it."""
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    return (*LOCAL_NAMES, host) if local else ("*",)
