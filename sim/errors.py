"""What can go wrong in a simulator.

SimError
├── ConfigurationRejected   the bench file asks for something that cannot be built: stop, exit 2
├── AddressTaken            a port in the bench file is in use: stop, exit 2
└── FaultUnknown            no such fault on that device: refuse the request
"""

from __future__ import annotations

from collections.abc import Iterable


class SimError(Exception):
    """Root of all errors that simulators raise on purpose."""

    exit_code = 3
    """Exit code of a command that this ends (docs/architecture.md, Exit codes)."""


class ConfigurationRejected(SimError):
    """A device's table is well formed but cannot be built."""

    exit_code = 2

    def __init__(self, device: str, reason: str) -> None:
        self.device, self.reason = device, reason
        super().__init__(f"{device}: {reason}")


class AddressTaken(SimError):
    """A port that the bench file names is in use."""

    exit_code = 2

    def __init__(self, device: str, host: str, port: int) -> None:
        self.device, self.host, self.port = device, host, port
        super().__init__(
            f"{device}: port {port} on {host} is in use; stop its owner, or write port = 0 for a free one"
        )


class FaultUnknown(SimError):
    """A fault was asked for that the device cannot make."""

    exit_code = 2

    def __init__(self, device: str, fault: str, known: Iterable[str]) -> None:
        self.device, self.fault, self.known = device, fault, tuple(sorted(known))
        super().__init__(f"{device} has no fault {fault!r}; it has: {', '.join(self.known) or 'none'}")
