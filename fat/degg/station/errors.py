"""What can go wrong between us and the instruments. Every error is a sentence: what, where, what to do.

StationError
├── ModuleSilent        a console does not connect, or does not answer
├── ModuleRefused       a console answers with an error of its own
├── AnswerMalformed     an answer is not what the protocol says
├── EventsMissing       a module answers, but no event came in time
├── InstrumentSilent    an instrument, or a wire pair, does not answer
├── InstrumentRefused   an instrument, or a wire pair, answers with an error
└── MeasurementFailed   jobs at several modules: who failed, and how
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fat.errors import FatError

SHOWN: Final = 120


class StationError(FatError):
    """Root of the errors of the laboratory's instruments."""


class ModuleSilent(StationError):
    """A module's console does not connect, or does not answer."""

    def __init__(self, module: str, address: str, what: str) -> None:
        self.module, self.address = module, address
        super().__init__(
            f"{module} at {address} {what}; is its wire pair powered, and does no other program hold its console?"
        )


class ModuleRefused(StationError):
    """A module's console answers with an error of its own."""

    def __init__(self, module: str, command: str, said: str) -> None:
        self.module, self.command, self.said = module, command, said
        super().__init__(f"{module} refuses {command!r}: {shown(said)}")


class AnswerMalformed(StationError):
    """An answer is not what the protocol says."""

    def __init__(self, who: str, command: str, what: str) -> None:
        super().__init__(
            f"{who}: the answer to {command!r} {what}; check the line, and the firmware's version"
        )


class EventsMissing(StationError):
    """A module answers, but no event came in time."""

    def __init__(self, module: str, seconds: float) -> None:
        self.module = module
        super().__init__(
            f"{module} answers, but no event came within {seconds:.0f} s: "
            "check high voltage, light and the threshold"
        )


class InstrumentSilent(StationError):
    """An instrument, or a wire pair, does not answer."""

    def __init__(self, instrument: str, address: str, what: str) -> None:
        self.instrument, self.address = instrument, address
        super().__init__(f"{instrument} at {address} {what}; is it on, and connected?")


class InstrumentRefused(StationError):
    """An instrument, or a wire pair, answers with an error."""

    def __init__(self, instrument: str, command: str, said: str) -> None:
        self.instrument, self.command, self.said = instrument, command, said
        super().__init__(f"{instrument} refuses {command!r}: {shown(said)}")


class MeasurementFailed(StationError):
    """Jobs at several modules: who failed, and how. The others were carried out to their end."""

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        self.failures = dict(failures)
        sentences = "; ".join(f"{name}: {error}" for name, error in self.failures.items())
        super().__init__(f"{len(self.failures)} of the modules failed: {sentences}")


def shown(text: str) -> str:
    """A text as it may stand in a sentence: printable, and not too long."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= SHOWN else f"{plain[: SHOWN - 1]}…"
