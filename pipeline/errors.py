"""What can go wrong in the pipeline. Lost data is counted and flagged, never raised.

PipelineError
├── SettingRejected      a property or option cannot be so: keep the old value, tell the caller
├── NotInThisState       a slot was called at the wrong time: refuse, tell the state
├── UnknownName          no such device, property or slot: refuse, tell which there are
├── AddressInUse         an address cannot be bound: do not start
├── RunUnreadable        a run directory or file cannot be read: stop this run
├── OutputUnwritable     there is no room for results, or no right to write them: stop, say where
├── WorkersLost          somebody killed the processes that did the work: start again, it goes on
├── TrainMalformed       bytes that are no train: skip them, count them
├── BridgeMessageMalformed  bytes that are no bridge message: skip them, count them
├── ConstantMissing      no constant fits the operating conditions: do not start correcting
├── ConstantUnreadable   a constants file is damaged or of the wrong shape: stop, say which
├── CatalogueError       the constants catalogue refused or failed
│   ├── CatalogueUnreachable   retry later
│   │   └── RemotesExhausted       no remote gave a usable answer in time: retry later
│   ├── RemoteFailed           one remote gave no usable answer: ask another
│   └── AlreadyInjected        the same begin and conditions hold other content: choose another begin
└── ControlUnitError     a detector control unit refused or failed
    ├── ControlUnitUnreachable retry later
    ├── CommandRefused         the unit's state does not allow the command
    ├── NothingCame            no series started in time: arm it, enable its stream
    └── StreamBroken           messages that break the stream protocol: stop this series
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


class PipelineError(Exception):
    """Root of all errors that the pipeline raises on purpose."""

    exit_code = 3
    """Exit code of a command that this ends (docs/architecture.md, Exit codes)."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors come back from worker processes; what they are made from is not what `args` holds."""
        return _again, (type(self), str(self), self.__dict__)


def _again(kind: type[PipelineError], sentence: str, values: dict[str, Any]) -> PipelineError:
    error = kind.__new__(kind, sentence)
    error.__dict__.update(values)
    return error


class SettingRejected(PipelineError):
    """A property or option has a value that cannot be."""

    exit_code = 2

    def __init__(self, name: str, value: object, allowed: str) -> None:
        self.name, self.value, self.allowed = name, value, allowed
        super().__init__(f"{name} cannot be {value!r}; it must be {allowed}")


class NotInThisState(PipelineError):
    """A slot was called in a state that does not allow it."""

    def __init__(self, device: str, slot: str, state: str, allowed: str) -> None:
        self.device, self.slot, self.state, self.allowed = device, slot, state, allowed
        super().__init__(f"{device} is {state}; {slot} needs it to be {allowed}")


class UnknownName(PipelineError):
    """No device, property or slot has this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"no {kind} is called {name!r}; there are: {', '.join(self.known) or 'none'}")


class AddressInUse(PipelineError):
    """An address cannot be bound."""

    def __init__(self, who: str, address: str, reason: str) -> None:
        self.who, self.address, self.reason = who, address, reason
        super().__init__(
            f"{who} cannot listen at {address} ({reason}); choose another port, or 0 for any free one"
        )


class RunUnreadable(PipelineError):
    """A run directory or one of its files cannot be read."""

    exit_code = 2

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class OutputUnwritable(PipelineError):
    """Results cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} cannot be written: {reason}")


class WorkersLost(PipelineError):
    """A process that did part of the work was killed."""

    exit_code = 75


class BridgeMessageMalformed(PipelineError):
    """Bytes that are no message of a bridge."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the bridge sent {what}; it speaks neither protocol 2.2 nor 1.0")


class TrainMalformed(PipelineError):
    """Bytes that are no train block."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ConstantMissing(PipelineError):
    """No constant version fits the operating conditions."""

    def __init__(
        self,
        calibration: str,
        module: str,
        conditions: str,
        at: str,
        why: str = "",
        module_number: int | None = None,
    ) -> None:
        self.calibration, self.module, self.conditions, self.at = calibration, module, conditions, at
        self.why, self.module_number = why, module_number
        reason = f": {why}" if why else ""
        super().__init__(
            f"no {calibration} for {module} at {at} under {conditions}{reason}; inject one, or correct the conditions"
        )

    def because(self, why: str) -> ConstantMissing:
        """The same with what is there instead."""
        return ConstantMissing(
            self.calibration, self.module, self.conditions, self.at, why, self.module_number
        )


class ConstantUnreadable(PipelineError):
    """A constants file is missing, damaged, or holds another shape than asked."""

    exit_code = 2

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class CatalogueError(PipelineError):
    """The constants catalogue refused a request or failed."""


class CatalogueUnreachable(CatalogueError):
    """Nobody answers at the catalogue's address."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"no catalogue answers at {url} ({reason}); is it running?")


class RemotesExhausted(CatalogueUnreachable):
    """No remote gave a usable answer in the time that there was."""

    def __init__(self, what: str, reason: str, remote: str, attempts: int) -> None:
        self.what, self.reason, self.remote, self.attempts = what, reason, remote, attempts
        self.url = remote
        # The first half in the words that operators know from the online pipeline.
        CatalogueError.__init__(
            self,
            f"Could not {what}: {reason} (asked {attempts} times, the last time {remote}); try again later",
        )


class RemoteFailed(CatalogueError):
    """One remote gave no usable answer.

    wrong   it answered, but not with what was asked for
    silent  it did not answer in time
    """

    def __init__(self, remote: str, reason: str, *, wrong: bool = False, silent: bool = False) -> None:
        self.remote, self.reason, self.wrong, self.silent = remote, reason, wrong, silent
        super().__init__(f"{remote}: {reason}")


class AlreadyInjected(CatalogueError):
    """The catalogue holds a version with the same begin and conditions but other content."""

    def __init__(self, name: str, begin_at: str) -> None:
        self.name, self.begin_at = name, begin_at
        super().__init__(
            f"{name} at {begin_at} has already been taken by other data; a version is never overwritten"
        )


class ControlUnitError(PipelineError):
    """A detector control unit refused a request or failed."""


class ControlUnitUnreachable(ControlUnitError):
    """Nobody answers at the control unit's address."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"no control unit answers at {url} ({reason}); is it running?")


class CommandRefused(ControlUnitError):
    """The control unit answered a request with an error."""

    def __init__(self, request: str, status: int, reason: str) -> None:
        self.request, self.status, self.reason = request, status, reason
        super().__init__(f"{request} was refused with {status}: {reason}")


class NothingCame(ControlUnitError):
    """No start message came in time: arm the detector, enable its stream, or look for another receiver."""

    def __init__(self, stream_url: str, timeout_s: float, series: int | None = None) -> None:
        self.stream_url, self.timeout_s, self.series = stream_url, timeout_s, series
        what = (
            "no series started" if series is None else f"series {series} is armed, but its start did not come"
        )
        super().__init__(
            f"{what} on {stream_url} for {timeout_s:g} s; is the detector armed, its stream enabled, "
            "and nobody else pulling?"
        )


class StreamBroken(ControlUnitError):
    """The control unit's stream broke its protocol."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
