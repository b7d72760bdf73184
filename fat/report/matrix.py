"""Verdicts of several devices side by side: a table of quantities and devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fat.limits import Limit


@dataclass(frozen=True, slots=True)
class Cell:
    """What one device shows of one quantity; empty where it was not measured."""

    verdict: str = ""
    text: str = ""
    why: str = ""
    """What this device has to say beyond the others."""


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity."""

    about: str
    unit: str
    limit: str
    reason: str
    cells: tuple[Cell, ...]
    """In the order of the table's devices."""


@dataclass(frozen=True, slots=True)
class Table:
    """Devices of which the same quantities were measured."""

    devices: tuple[str, ...]
    lines: tuple[Line, ...]


def matrix_of(measurements: Iterable[Sequence[Any]]) -> list[Table]:
    """Tables of the measurements that name a device; devices of which the same was measured share one.

    measurements  task and measurement, as the record has them
    """
    by_device: dict[str, dict[str, Mapping[str, Any]]] = {}
    for task, measured in measurements:
        if measured.get("device"):
            name = " ".join(part for part in (measured["device"], measured.get("part", "")) if part)
            by_device.setdefault(name, {})[f"{task}.{measured['name']}"] = measured
    groups: list[list[str]] = []
    for device, taken in by_device.items():
        for group in groups:
            if set(by_device[group[0]]) & set(taken):
                group.append(device)
                break
        else:
            groups.append([device])
    return [_table(group, by_device) for group in groups]


def _table(devices: Sequence[str], by_device: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    names = list(dict.fromkeys(name for device in devices for name in by_device[device]))
    lines = []
    for name in names:
        of_devices = [by_device[device].get(name) for device in devices]
        there = [measured for measured in of_devices if measured is not None]
        # What only one device has to say stands behind a colon.
        about = min((measured["about"] for measured in there), key=len).split(":")[0]
        limit = next((Limit(**m["limit"]) for m in there if m["limit"] is not None), None)
        lines.append(
            Line(
                about,
                there[0]["unit"],
                "" if limit is None else str(limit),
                "" if limit is None else limit.reason,
                tuple(_cell(measured, about) for measured in of_devices),
            )
        )
    return Table(tuple(devices), tuple(lines))


def _cell(measured: Mapping[str, Any] | None, about: str) -> Cell:
    if measured is None:
        return Cell()
    text = "no number" if measured["value"] is None else f"{measured['value']:.4g}"
    return Cell(measured["verdict"], text, measured["about"].removeprefix(about).lstrip(": "))
