"""The kinds of devices that installed packages offer, each imported when it is asked for.

A bench has two or three of them, and every process that reads its file starts with this: all of them together take
longer to import than the rest of the file's models.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from sim.errors import ConfigurationRejected
from sim.kernel.device import DeviceKind


@cache
def offered() -> dict[str, EntryPoint]:
    """What is offered, by name of the kind, without importing any of it."""
    return {point.name: point for point in entry_points(group="stellwerk.devices")}


@cache
def find_kind(name: str) -> DeviceKind:
    """The device kind of that name. Raises ConfigurationRejected when no installed package offers it."""
    if name not in offered():
        known = ", ".join(sorted(offered()))
        raise ConfigurationRejected(name, f"no such kind of device; installed kinds: {known}")
    kind = offered()[name].load()
    assert isinstance(kind, DeviceKind), f"{offered()[name].value} is not a DeviceKind"
    return kind


def installed_kinds() -> dict[str, DeviceKind]:
    """Every device kind that an installed package offers, by name: imports all of them."""
    return {name: find_kind(name) for name in offered()}
