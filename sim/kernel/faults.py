"""The fault vocabulary: what can be broken on purpose, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.errors import FaultUnknown, SimError


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault that a device can make."""

    name: str
    """lower_case words, a verb first: `drop_packets`."""
    about: str
    """What happens on the wire, in one sentence."""
    shown_by: str
    """The counter, flag or status with which a user notices it."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameter names with their defaults; a value must have its default's type."""


@dataclass(slots=True)
class ActiveFault:
    """A fault that is switched on."""

    name: str
    parameters: dict[str, Any]
    remaining: int | None
    """How many more times it strikes; None = until switched off."""
    struck: int = 0


class FaultBoard:
    """The fault switches of one device. Used by the device's own thread or loop only."""

    def __init__(self, device: str, specs: Iterable[FaultSpec] = ()) -> None:
        self._device = device
        self._specs = {spec.name: spec for spec in specs}
        self._active: dict[str, ActiveFault] = {}
        self._struck: dict[str, int] = {}
        self._watchers: list[Callable[[str], None]] = []

    def watch(self, switched: Callable[[str], None]) -> None:
        """Call with a fault's name whenever it was switched: for faults that act at once, not at a request."""
        self._watchers.append(switched)

    def switch_on(self, name: str, *, times: int | None = None, **parameters: Any) -> None:
        """Switch a fault on, for *times* strikes or until switched off. Raises FaultUnknown, SimError."""
        spec = self._specs.get(name)
        if spec is None:
            raise FaultUnknown(self._device, name, self._specs)
        for key, value in parameters.items():
            if key not in spec.parameters:
                known = ", ".join(spec.parameters) or "none"
                raise SimError(f"{self._device}: fault {name!r} has no parameter {key!r}; it has: {known}")
            default = spec.parameters[key]
            if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
                parameters[key] = float(value)
            elif type(value) is not type(default):
                raise SimError(
                    f"{self._device}: parameter {key!r} of fault {name!r} must be "
                    f"{type(default).__name__}, not {type(value).__name__}"
                )
        if times is not None and times < 1:
            raise SimError(f"{self._device}: fault {name!r} must strike at least once, not {times} times")
        self._active[name] = ActiveFault(name, {**spec.parameters, **parameters}, times)
        self._tell(name)

    def switch_off(self, name: str) -> None:
        """Switch a fault off; one that is off stays off. Raises FaultUnknown."""
        if name not in self._specs:
            raise FaultUnknown(self._device, name, self._specs)
        self._active.pop(name, None)
        self._tell(name)

    def _tell(self, name: str) -> None:
        for switched in self._watchers:
            switched(name)

    def strike(self, name: str) -> ActiveFault | None:
        """Ask at the place where the fault would act: the fault if it strikes now, counted, else None."""
        fault = self._active.get(name)
        if fault is None:
            return None
        fault.struck += 1
        self._struck[name] = self._struck.get(name, 0) + 1
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining == 0:
                del self._active[name]
        return fault

    def is_on(self, name: str) -> bool:
        """Whether the fault is on, without striking."""
        return name in self._active

    def parameters(self, name: str) -> Mapping[str, Any] | None:
        """Those of a fault that is on, without striking; None: it is off."""
        fault = self._active.get(name)
        return None if fault is None else fault.parameters

    def active(self) -> dict[str, dict[str, Any]]:
        """The faults that are on, with their parameters."""
        return {name: dict(fault.parameters) for name, fault in self._active.items()}

    def struck(self) -> dict[str, int]:
        """How often each fault has struck since the device was built."""
        return dict(self._struck)

    @property
    def specs(self) -> Mapping[str, FaultSpec]:
        """The faults that this device can make."""
        return self._specs
