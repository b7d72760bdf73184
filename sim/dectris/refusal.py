"""A request that the control unit refuses, with the HTTP status that says so."""

from __future__ import annotations

from sim.errors import SimError


class Refused(SimError):
    """The request is answered with an error. Status codes: docs/dectris.md, Errors."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)


def unknown(key: str) -> Refused:
    """404 in the vendor's wording."""
    return Refused(404, f"Parameter {key} does not exist")
