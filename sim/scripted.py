"""Faults by time: whether the bench that they are written for can make them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic_core import InitErrorDetails, PydanticCustomError

from sim.errors import FaultUnknown, SimError
from sim.kernel import DeviceKind, FaultBoard, FaultSpec

if TYPE_CHECKING:
    from pydantic import BaseModel


MOST_LISTED: Final = 12
"""Names that one sentence lists."""


class Scripted(Protocol):
    """One entry of `[[sim.faults]]`."""

    @property
    def device(self) -> str:
        """A device or one of its parts."""
        ...

    @property
    def fault(self) -> str:
        """A fault of it."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Of the fault."""
        ...


def mistakes_of(
    faults: Sequence[Scripted], devices: Mapping[str, tuple[DeviceKind, BaseModel]], real: Collection[str]
) -> Iterator[InitErrorDetails]:
    """What is wrong with faults by time, as pydantic's errors, so that file and line can be told.

    devices  those that are simulated, with their tables
    real     names of those that are not
    """
    known = breakable(devices)
    for index, entry in enumerate(faults):
        if entry.device in real:
            yield _error(
                (index, "device"), "has an address: only what is simulated can be broken", entry.device
            )
            continue
        specs = known.get(entry.device)
        if specs is None:
            text = f"no simulated device or part of this bench{_nearest(entry.device, known)}"
            yield _error((index, "device"), text, entry.device)
            continue
        try:
            FaultBoard(entry.device, specs).switch_on(entry.fault, **entry.parameters)
        except FaultUnknown as error:
            text = f"{entry.device} has no such fault{_nearest(entry.fault, error.known)}"
            yield _error((index, "fault"), text, entry.fault)
        except SimError as error:
            yield _error((index, "parameters"), str(error), entry.parameters)


def breakable(devices: Mapping[str, tuple[DeviceKind, BaseModel]]) -> dict[str, Sequence[FaultSpec]]:
    """Devices and their parts by full name, with the faults of each."""
    found: dict[str, Sequence[FaultSpec]] = {}
    for name, (kind, table) in devices.items():
        found[name] = kind.faults
        if kind.parts is not None:
            found |= {kind.full_name(name, part): specs for part, specs in kind.parts(table).items()}
    return found


def _error(loc: tuple[str | int, ...], text: str, value: Any) -> InitErrorDetails:
    # Braces would be taken for places to fill in.
    said = PydanticCustomError("fault_by_time", "{text}", {"text": text})
    return InitErrorDetails(type=said, loc=("faults", *loc), input=value)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return ""
    listed = ", ".join(sorted(names)[:MOST_LISTED])
    return f"; known: {listed}{', …' if len(names) > MOST_LISTED else ''}"
