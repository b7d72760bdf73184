"""Device and server: behaviour in simulated time, and the interface that others see.

A device is a function of time and inputs. It never sleeps and never reads a clock. A server gives it an
interface. A kind says how a table of the bench file becomes servers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pydantic import BaseModel

    from sim.kernel.clock import SimClock
    from sim.kernel.faults import FaultBoard, FaultSpec
    from sim.kernel.time import SimTime
    from sim.kernel.transcript import Transcript


class Device(Protocol):
    """Behaviour in simulated time."""

    def advance(self, now: SimTime, /) -> SimTime | None:
        """Bring the device to *now*. Return when to wake next, or None when nothing is due."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a server met that a person should know of, though it went on."""

    device: str
    at: int
    """Simulated time, ns since the bench's epoch."""
    text: str


class Server(Protocol):
    """One address of a device."""

    async def start(self) -> str | list[str]:
        """Bind, and return the address as a client would type it, or several. Raises AddressTaken."""
        ...

    async def stop(self) -> None:
        """Close everything within two seconds. May be called twice, and before start."""
        ...

    def problems(self) -> Sequence[Problem]:
        """What has gone wrong so far, oldest first."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A server with something that whoever starts it has to read: a generated password, never in a log."""

    def notes(self) -> Sequence[str]:
        """Sentences, once; the server forgets them."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that a device gets from its bench."""

    name: str
    """The device's name in the bench file, the first part of its endpoint keys."""
    seed: int
    """The bench's seed. Draws are keyed by (seed, serial number, request or train number)."""
    data_dir: Path
    """Absolute folder of the bench; a device writes below `data_dir / name` or a folder that it documents."""
    clock: SimClock
    endpoints: Mapping[str, str | Sequence[str]]
    """Addresses known so far; at least those that the kind needs."""
    faults: FaultBoard
    transcript: Transcript
    token: str = ""
    """What a request that changes something at a page of ours must bear. Empty: nothing may be changed there."""
    parts: Mapping[str, FaultBoard] = field(default_factory=dict)
    """Fault switches of the parts that the kind names, by full name."""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """One kind of simulated hardware, found through the entry points `stellwerk.devices`."""

    name: str
    about: str
    config: type[BaseModel]
    """Model of the device's table, without `kind` and `address`; strict, extra keys forbidden."""
    faults: Sequence[FaultSpec]
    build: Callable[[Surroundings, Any], Mapping[str, Server]]
    """From surroundings and validated table to servers by endpoint suffix ("" = the bare device name)."""
    needs: Sequence[str] = ()
    """Endpoint keys, or prefixes ending in a dot, that must be known before build, e.g. `daq.`.

    A need that no part of the bench will provide is ignored: build must cope with its absence."""
    families: Sequence[str] = ()
    """First words of further endpoint keys that it provides: a suffix that begins with one of them and a dot, such as
    `degg.5003`, is the whole key. One device of a bench may provide a family."""
    parts: Callable[[Any], Mapping[str, Sequence[FaultSpec]]] | None = None
    """From the validated table to the parts that have fault switches of their own, named as endpoints are:
    `filter_wheel_0`, or `degg.5003` in a family."""

    def full_name(self, device: str, name: str) -> str:
        """The endpoint key, or the part, that the kind calls *name* for a device of that name."""
        if name.partition(".")[0] in self.families and "." in name:
            return name
        return f"{device}.{name}" if name else device
