"""Devices of the control system: a name, a state, typed properties, slots."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, get_type_hints

from pipeline.errors import NotInThisState, SettingRejected, UnknownName

KINDS: Final[Mapping[type, str]] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


class State(StrEnum):
    """What a device is doing."""

    PASSIVE = "PASSIVE"
    CHANGING = "CHANGING"
    ACTIVE = "ACTIVE"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Property:
    """A value that others may read, and write where `write` is given.

    A write may raise SettingRejected; then the old value stays.
    """

    name: str
    about: str
    read: Callable[[], Any]
    write: Callable[[Any], None] | None = None
    type: type = str


@dataclass(frozen=True, slots=True)
class Slot:
    """Something that a device does when it is asked; its arguments are those of the function."""

    name: str
    about: str
    call: Callable[..., Any]
    allowed: Sequence[State] = (State.PASSIVE, State.ACTIVE, State.ERROR)
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Arguments that the function calls otherwise, because their name is taken there."""
    exclusive: bool = True
    """Whether only one such slot or change may be under way at a time; questions are not exclusive."""


class Device:
    """One stage of the pipeline as the control system sees it.

    state   tells the state when asked
    """

    def __init__(
        self,
        name: str,
        state: Callable[[], State],
        properties: Sequence[Property],
        slots: Sequence[Slot] = (),
    ) -> None:
        self.name, self._state = name, state
        self._properties = {p.name: p for p in properties}
        self._slots = {s.name: s for s in slots}
        self._lock = threading.Lock()
        self._changing = False

    @property
    def state(self) -> State:
        """The state now; CHANGING while an exclusive slot is under way."""
        return State.CHANGING if self._changing else self._state()

    def describe(self) -> dict[str, Any]:
        """State, properties and the names of the slots, as JSON values."""
        properties = {name: p.read() for name, p in self._properties.items()}
        return {"state": self.state.value, "properties": properties, "slots": list(self._slots)}

    def schema(self) -> dict[str, Any]:
        """What each property and slot is about, and what may be written."""
        slots = {name: {"about": s.about, "arguments": _argument_names(s)} for name, s in self._slots.items()}
        return {"properties": {name: _schema(p) for name, p in self._properties.items()}, "slots": slots}

    def change(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Write properties, or none when one is refused; their values afterwards.

        Raises UnknownName, SettingRejected.
        """
        for name, value in values.items():
            prop = self._properties.get(name)
            if prop is None:
                raise UnknownName(f"property of {self.name}", name, self._properties)
            if prop.write is None:
                raise SettingRejected(f"{self.name}.{name}", value, "left alone, it can only be read")
            _check_type(f"{self.name}.{name}", value, prop.type)
        with self._lock:
            self._write_all_or_none(values)
        return {name: p.read() for name, p in self._properties.items()}

    def _write_all_or_none(self, values: Mapping[str, Any]) -> None:
        written: list[tuple[Callable[[Any], None], Any]] = []
        try:
            for name, value in values.items():
                prop = self._properties[name]
                assert prop.write is not None, "checked before"
                before = prop.read()
                prop.write(value)
                written.append((prop.write, before))
        except Exception:
            for write, before in reversed(written):
                write(before)
            raise

    def call(self, slot_name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a slot. Raises UnknownName, NotInThisState, SettingRejected, and what the slot raises."""
        slot = self._slots.get(slot_name)
        if slot is None:
            raise UnknownName(f"slot of {self.name}", slot_name, self._slots)
        arguments = {slot.renamed.get(name, name): value for name, value in arguments.items()}
        _check_arguments(f"{self.name}.{slot.name}", slot.call, arguments)
        if not slot.exclusive:
            return slot.call(**arguments)
        with self._lock:
            if self._state() not in slot.allowed:
                raise NotInThisState(self.name, slot.name, self._state(), " or ".join(slot.allowed))
            self._changing = True
            try:
                return slot.call(**arguments)
            finally:
                self._changing = False


def _check_arguments(where: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    signature = inspect.signature(function)
    hints = get_type_hints(function)
    for name, value in arguments.items():
        if name not in signature.parameters:
            raise UnknownName(f"argument of {where}", name, signature.parameters)
        _check_type(f"{where}({name})", value, hints.get(name, object))
    for name, parameter in signature.parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in arguments:
            raise SettingRejected(f"{where}({name})", None, "given")


def _check_type(where: str, value: Any, hint: Any) -> None:
    """Compare a JSON value with a plain type or a generic one's origin; anything else is left to the function."""
    expected = getattr(hint, "__origin__", hint)
    if isinstance(expected, type) and issubclass(expected, Mapping):
        expected = dict
    if expected not in KINDS:
        return
    fits = isinstance(value, expected) or (expected is float and isinstance(value, int))
    if not fits or (isinstance(value, bool) and expected is not bool):
        raise SettingRejected(where, value, KINDS[expected])


def _argument_names(slot: Slot) -> list[str]:
    outer = {inner: name for name, inner in slot.renamed.items()}
    return [outer.get(name, name) for name in inspect.signature(slot.call).parameters]


def _schema(prop: Property) -> dict[str, Any]:
    return {"about": prop.about, "type": prop.type.__name__, "writable": prop.write is not None}


class Registry:
    """All devices of a pipeline by name."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = {device.name: device for device in devices}

    def __getitem__(self, name: str) -> Device:
        if name not in self._devices:
            raise UnknownName("device", name, self._devices)
        return self._devices[name]

    def items(self) -> list[tuple[str, Device]]:
        """Every device with its name."""
        return list(self._devices.items())

    def describe(self) -> dict[str, Any]:
        """Every device by name."""
        return {name: device.describe() for name, device in self._devices.items()}
