"""Error queue and status registers of one instrument, as IEEE 488.2 and SCPI-99 have them.

The instruments of a bench were switched on before it began, so that the power-on bit has been read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sim.lab.scpi.errors import TEXTS, event_bit

ERRORS_WAIT, QUESTIONABLE, ANSWER_WAITS, EVENT, SERVICE, OPERATION = 4, 8, 16, 32, 64, 128
OPERATION_COMPLETE = 1


@dataclass(frozen=True, slots=True)
class QueueStyle:
    """How an instrument words its errors."""

    size: int = 20
    signed_zero: bool = False
    """`+0,"No error"` instead of `0,"No error"`."""
    overflow: str = TEXTS[-350]


class ErrorQueue:
    """Oldest first. When it is full, its newest entry becomes the overflow."""

    def __init__(self, style: QueueStyle) -> None:
        self._style = style
        self._entries: deque[str] = deque()

    def put(self, number: int) -> None:
        """Note an error."""
        if len(self._entries) < self._style.size:
            self._entries.append(f'{number},"{TEXTS[number]}"')
        else:
            self._entries[-1] = f'-350,"{self._style.overflow}"'

    def take(self) -> str:
        """The oldest entry, and forget it."""
        if self._entries:
            return self._entries.popleft()
        return '+0,"No error"' if self._style.signed_zero else '0,"No error"'

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(slots=True)
class Register:
    """Condition, event and enable register of OPERation or QUEStionable."""

    condition: int = 0
    event: int = 0
    enable: int = 0

    def set(self, condition: int) -> None:
        """New condition; bits that rise become events."""
        self.event |= condition & ~self.condition
        self.condition = condition

    def take(self) -> int:
        """The event register, which reading clears."""
        event, self.event = self.event, 0
        return event

    @property
    def summary(self) -> bool:
        """Whether an enabled event has happened."""
        return bool(self.event & self.enable)


@dataclass(slots=True)
class Status:
    """All registers of one instrument."""

    errors: ErrorQueue
    event: int = 0
    event_enable: int = 0
    service_enable: int = 0
    operation: Register = field(default_factory=Register)
    questionable: Register = field(default_factory=Register)
    _told: int = 0
    """Bits for which service was asked and a serial poll has answered."""

    def note(self, number: int) -> None:
        """An error happened."""
        self.errors.put(number)
        self.event |= event_bit(number)

    def take_event(self) -> int:
        """The standard event status register, which reading clears."""
        event, self.event = self.event, 0
        return event

    def clear(self) -> None:
        """`*CLS`: events and errors go, enables stay."""
        self.event = self.operation.event = self.questionable.event = 0
        self.errors.clear()

    def byte(self, answer_waits: bool) -> int:
        """The status byte as `*STB?` gives it, with the master summary in bit 6."""
        byte = ANSWER_WAITS if answer_waits else 0
        byte |= ERRORS_WAIT if self.errors else 0
        byte |= EVENT if self.event & self.event_enable else 0
        byte |= OPERATION if self.operation.summary else 0
        byte |= QUESTIONABLE if self.questionable.summary else 0
        return byte | (SERVICE if byte & self.service_enable else 0)

    def requests_service(self, answer_waits: bool) -> bool:
        """Whether the instrument pulls SRQ: a reason that no serial poll has seen yet."""
        reasons = self.byte(answer_waits) & self.service_enable & ~SERVICE
        self._told &= reasons
        return bool(reasons & ~self._told)

    def poll(self, answer_waits: bool) -> int:
        """Serial poll: the status byte with the request for service in bit 6, which this clears."""
        requests = self.requests_service(answer_waits)
        byte = self.byte(answer_waits) & ~SERVICE
        self._told = byte & self.service_enable
        return byte | (SERVICE if requests else 0)
