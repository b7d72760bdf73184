"""Prologix GPIB-Ethernet box: `++` lines are for the box, everything else goes to the addressed instrument.

Commands and texts from `reference/peripherals.md`; the rest from the maker's manual, version 1.6.6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.lab.lines import Answer
from sim.lab.scpi import BusSession, ScpiInstrument
from sim.lab.scpi.session import MAX_MESSAGE

BOX_FAULTS: Final = (
    FaultSpec(
        "lose_bus",
        "The GPIB cable is off: the box answers, no instrument does.",
        "the client's time-out, while ++ver answers",
    ),
)
"""Beside those of the line."""

VERSION: Final = "Prologix GPIB-ETHERNET Controller version 01.06.06.00"
UNKNOWN: Final = "Unrecognized command"
_END: Final = "\r\n"
_LF, _CR, _ESC = 10, 13, 27
_TERMINATORS: Final = (b"\r\n", b"\r", b"\n", b"")
"""By the value of `++eos`."""


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """What the box remembers, as after its reset."""

    mode: int = 1
    addr: int = 10
    auto: int = 0
    eoi: int = 1
    eos: int = 0
    eot_enable: int = 0
    eot_char: int = 0
    read_tmo_ms: int = 500
    savecfg: int = 1
    lon: int = 0
    status: int = 0


_RANGES: Final = {
    "mode": (0, 1),
    "addr": (0, 30),
    "auto": (0, 1),
    "eoi": (0, 1),
    "eos": (0, 3),
    "eot_enable": (0, 1),
    "eot_char": (0, 255),
    "read_tmo_ms": (1, 3000),
    "savecfg": (0, 1),
    "lon": (0, 1),
    "status": (0, 255),
}


@dataclass(frozen=True, slots=True)
class OnBus:
    """An instrument and the switches of its faults: what its own line would spoil, the bus spoils as well."""

    instrument: ScpiInstrument
    faults: FaultBoard


@dataclass(slots=True)
class PrologixBox:
    """The box. A connection begins with the settings that were made last, and has a session at every address."""

    bus: Mapping[int, OnBus]
    faults: FaultBoard
    reset_s: float = 0.0
    settings: BoxSettings = field(default_factory=BoxSettings)

    def connect(self) -> BoxTalker:
        """A new connection."""
        return BoxTalker(self)


class BoxTalker:
    """One connection to the box."""

    def __init__(self, box: PrologixBox) -> None:
        self._box = box
        self._settings = box.settings
        self._sessions = {address: BusSession(on.instrument) for address, on in box.bus.items()}
        self._line = bytearray()
        self._after_escape = self._overrun = False
        self._literal = False
        """Whether one of the first two bytes stood behind an ESC, so that the line is not for the box."""
        self._garbled = 0

    def receive(self, data: bytes, now: SimTime) -> Sequence[Answer]:
        """Take bytes. An LF or CR ends a line unless an ESC stands before it."""
        answers: list[Answer] = []
        for byte in data:
            if not self._after_escape and byte == _ESC:
                self._after_escape = True
            elif not self._after_escape and byte in (_LF, _CR):
                answers += self._end_line(now)
            else:
                self._add(byte)
        return answers

    def _add(self, byte: int) -> None:
        if len(self._line) < MAX_MESSAGE:
            self._literal |= self._after_escape and len(self._line) < 2
            self._line.append(byte)
        else:
            self._overrun = True
        self._after_escape = False

    def _end_line(self, now: SimTime) -> Sequence[Answer]:
        line, overrun = bytes(self._line), self._overrun
        own = line.startswith(b"++") and not self._literal
        self._line.clear()
        self._overrun = self._literal = False
        if own:
            return [_said(UNKNOWN)] if overrun else self._obey(line[2:].decode("latin-1"), now)
        if overrun and (session := self._session()) is not None:
            session.overrun()
        return self._send(line, now) if line and not overrun else ()

    def _send(self, line: bytes, now: SimTime) -> Sequence[Answer]:
        s = self._settings
        session = self._session()
        if session is None or not s.mode:
            return ()
        session.listen(line + _TERMINATORS[s.eos], bool(s.eoi), now)
        # The bus would show an error if an instrument were asked to talk that has nothing to say.
        return self._read() if s.auto and b"?" in line else ()

    def _session(self, address: int | None = None) -> BusSession | None:
        """The instrument at an address, if it listens."""
        address = self._settings.addr if address is None else address
        on = self._box.bus.get(address)
        if (
            on is None
            or on.faults.is_on("refuse_connection")
            or self._box.faults.strike("lose_bus") is not None
        ):
            return None
        return self._sessions[address]

    def _read(self, until: int | None = None) -> Sequence[Answer]:
        session = self._session()
        if session is None or not self._settings.mode:
            return ()
        answer = self._spoilt(session.talk(until))
        if answer.data and self._settings.eot_enable:
            return [replace(answer, data=answer.data + bytes([self._settings.eot_char]))]
        return [answer] if answer.data else ()

    def _spoilt(self, data: bytes) -> Answer:
        faults = self._box.bus[self._settings.addr].faults
        if not data or faults.strike("stay_silent") is not None:
            return Answer(b"")
        late = faults.strike("answer_late")
        after_s = 0.0 if late is None else max(0.0, min(3600.0, float(late.parameters["delay_s"])))
        if faults.strike("answer_garbage") is not None:
            self._garbled += 1
            return Answer(hashlib.shake_128(b"bus:%d" % self._garbled).digest(len(data)), after_s)
        if faults.strike("answer_half") is not None:
            data = data[: len(data) // 2]
        return Answer(data, after_s)

    def _obey(self, line: str, now: SimTime) -> Sequence[Answer]:
        words = line.split()
        name = words[0].lower() if words else ""
        if name in _RANGES:
            return self._setting(name, words[1:])
        command = _COMMANDS.get(name)
        return [_said(UNKNOWN)] if command is None else command(self, words[1:], now)

    def _setting(self, name: str, words: Sequence[str]) -> Sequence[Answer]:
        if not words:
            return [_said(str(getattr(self._settings, name)))]
        value = _number(words[0], *_RANGES[name])
        # An address may have a secondary one, 96..126, that no instrument here has.
        if value is None or len(words) > (2 if name == "addr" else 1):
            return [_said(UNKNOWN)]
        self._settings = self._box.settings = replace(self._settings, **{name: value})
        return ()

    def _read_command(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        if not words or words[0].lower() == "eoi":
            return self._read()
        until = _number(words[0], 0, 255)
        return [_said(UNKNOWN)] if until is None else self._read(until)

    def _clear(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        if (session := self._session()) is not None:
            session.clear()
        return ()

    def _service(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        sessions = (self._session(address) for address in self._box.bus)
        return [
            _said(str(int(any(session is not None and session.requests_service for session in sessions))))
        ]

    def _poll(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        address = _number(words[0], 0, 30) if words else self._settings.addr
        if address is None:
            return [_said(UNKNOWN)]
        session = self._session(address)
        return () if session is None else [_said(str(session.poll()))]

    def _trigger(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:
        for address in [_number(word, 0, 30) for word in words] or [self._settings.addr]:
            session = None if address is None else self._session(address)
            if session is not None:
                session.trigger(now)
        return ()

    def _reset(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        self._settings = self._box.settings = BoxSettings()
        for session in self._sessions.values():
            session.clear()
        return [Answer(b"", self._box.reset_s)]

    def _nothing(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        return ()

    def _version(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        return [_said(VERSION)]

    def _help(self, words: Sequence[str], now: SimTime) -> Sequence[Answer]:  # noqa: ARG002
        return [_said(_END.join(f"++{name}" for name in sorted({*_RANGES, *_COMMANDS})))]


_COMMANDS: Final[Mapping[str, Callable[[BoxTalker, Sequence[str], SimTime], Sequence[Answer]]]] = {
    "read": BoxTalker._read_command,
    "clr": BoxTalker._clear,
    "srq": BoxTalker._service,
    "spoll": BoxTalker._poll,
    "trg": BoxTalker._trigger,
    "rst": BoxTalker._reset,
    "ver": BoxTalker._version,
    "help": BoxTalker._help,
    "loc": BoxTalker._nothing,
    "llo": BoxTalker._nothing,
    "ifc": BoxTalker._nothing,
}


def _said(text: str) -> Answer:
    return Answer((text + _END).encode())


def _number(word: str, low: int, high: int) -> int | None:
    if not (word.isascii() and word.isdigit() and len(word) <= 4):
        return None
    return int(word) if low <= int(word) <= high else None
