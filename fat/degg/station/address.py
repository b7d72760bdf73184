"""Addresses as `endpoints.json` names them: `tcp://host:port`, or the path of a serial port."""

from __future__ import annotations

from urllib.parse import urlsplit

from fat.errors import UsageError


def host_and_port(name: str, address: str) -> tuple[str, int]:
    """Host and port of `tcp://host:port` or `host:port`. Raises UsageError.

    name  whose address it is, for the error
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise UsageError(f"{name}: {address!r} is no address; write tcp://host:port")
    return host, port
