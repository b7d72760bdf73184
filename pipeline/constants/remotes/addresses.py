"""Where remotes are: single addresses, and the facility's way to write a range of ports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pipeline.errors import SettingRejected

_ADDRESS: Final = re.compile(r"(tcp://[^#]+):(\d{1,5})(?:#(\d{1,5}))?")
LARGEST_PORT: Final = 65535


def expand(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each address once; `tcp://host:8015#8044` are thirty of them. Raises SettingRejected."""
    found: dict[str, None] = {}
    for address in addresses:
        parts = _ADDRESS.fullmatch(address)
        first, last = (int(parts[2]), int(parts[3] or parts[2])) if parts is not None else (0, 0)
        if parts is None or not 0 < first <= last <= LARGEST_PORT:
            raise SettingRejected(
                "remotes", address, "an address such as tcp://host:8015 or tcp://host:8015#8044"
            )
        found |= dict.fromkeys(f"{parts[1]}:{port}" for port in range(first, last + 1))
    if not found:
        raise SettingRejected("remotes", [], "a list with at least one tcp:// address")
    return tuple(found)
