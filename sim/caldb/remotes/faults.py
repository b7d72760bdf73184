"""What can be broken on a remote. Each fault has the parameter `remote`: its number, or 0 for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sim.kernel import FaultBoard, FaultSpec

BUSY: Final = "refuse_as_busy"
TAKEN: Final = "take_version"
SLOW: Final = "answer_slowly"
HANG: Final = "hang_remote"
MEMORY: Final = "exhaust_memory"
CORRUPT: Final = "corrupt_answer"
TRUNCATE: Final = "truncate_file"
KILL: Final = "kill_remote"

ALL: Final[Mapping[str, Any]] = {"remote": 0}

FAULTS: Final = (
    FaultSpec(
        BUSY,
        "A remote answers a search, fetch or injection with 'Resource temporarily unavailable'.",
        "the client's warning `Could not find constant …: Resource temporarily unavailable`, and another remote",
        ALL,
    ),
    FaultSpec(
        TAKEN,
        "A remote answers an injection with 'Version already taken', though there is no such version.",
        "AlreadyInjected in the pipeline",
        ALL,
    ),
    FaultSpec(
        SLOW,
        "A remote takes its time for every request; others wait behind it.",
        "waiting and slowest_answer_s in the remote's status; the client's time-out where it is shorter",
        {**ALL, "seconds": 20.0},
    ),
    FaultSpec(
        HANG,
        "A remote takes a request and never answers it.",
        "the client's time-out `did not answer within …`, and another remote",
        ALL,
    ),
    FaultSpec(
        MEMORY,
        "A remote refuses a request with 'Cannot allocate memory' and answers nothing from then on, until it is "
        "killed or the fault is switched off.",
        "the client's warning with these words, and another remote; state `unresponsive` in the bench's problems",
        ALL,
    ),
    FaultSpec(
        CORRUPT,
        "A byte of the data in an answer is another one.",
        "the client's warning that the SHA-256 differs, and another remote",
        ALL,
    ),
    FaultSpec(
        TRUNCATE,
        "The file that an injection leaves in the store is cut in half, as by a full disk.",
        "ConstantUnreadable with the file's name, when it is fetched",
        ALL,
    ),
    FaultSpec(
        KILL,
        "A remote is gone at once, with all requests that it holds, and comes back by itself after `seconds`.",
        "the client's warning `closed the connection` or `nobody listens`, and another remote; a problem of the bench",
        {**ALL, "seconds": 30.0},
    ),
)


class RemoteFaults:
    """The fault switches as one remote sees them."""

    def __init__(self, board: FaultBoard, number: int) -> None:
        self._board, self._number = board, number

    def strike(self, name: str) -> Mapping[str, Any] | None:
        """The fault's parameters if it strikes this remote now, counted; else None."""
        if not self.is_on(name):
            return None
        struck = self._board.strike(name)
        return None if struck is None else struck.parameters

    def is_on(self, name: str) -> bool:
        """Whether the fault is on for this remote, without striking."""
        parameters = self._board.active().get(name)
        return parameters is not None and parameters["remote"] in (0, self._number)
