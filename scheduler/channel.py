"""What engine and task process say to each other: one JSON object a line, both ways, over a socket pair.

| direction | line | meaning |
| --- | --- | --- |
| → first | `{"job": {...}}` | what to run (`Job`) |
| ← | `{"note": text}` | for the journal |
| ← | `{"notify": {"severity", "text", "picture", "title"}}` | for people |
| ← | `{"progress": [done, total, text]}` | for the display |
| ← | `{"id": n, "wait": t_ns}` | wait for me; `null` asks the time only |
| → | `{"id": n, "now": t_ns}` or `{"id": n, "lost": sentence}` | the answer |
| ← | `{"id": n, "ask": {"number", "text", "severity"}}` | its number-th question to people |
| → | `{"id": n, "answer": {…}}` | they said yes (`scheduler.question.Answer`) |
| ← | `{"id": n, "keep": value}` | keep it for the next attempt |
| → | `{"id": n, "kept": true}` | it is durable |
| ← | `{"id": n, "results": true}` | what did the tasks before me find? |
| → | `{"id": n, "results": {…}}` | their outputs, by task |
| ← | `{"alive": true}` | nothing else was said for a while |
| ← last | `{"result": {...}}` or `{"error": sentence, "traceback": text}` | how it ended |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self

MAX_LINE: Final = 8 << 20
"""Bytes of one message. Outputs are held to an eighth of it."""
MAX_OUTPUTS: Final = 1 << 20
MAX_NOTE: Final = 4096
MAX_KEPT: Final = 64 << 10
MAX_NOTICES: Final = 100
"""What one process may have told people."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a child process is to run."""

    kind: Literal["task", "check", "resolve"]
    call: str
    """For *resolve*, nothing: `arguments` then hold what is to be looked up (`scheduler.calling.Call`), by task."""
    run_dir: str
    task_id: str
    title: str
    attempt: int
    arguments: Mapping[str, Any]
    parameters: Mapping[str, Any]
    environment: Mapping[str, Any]
    positional: Sequence[Any] = ()
    failures: int = 0
    kept: Any = None
    since: int = 0
    """The attempt whose folder of artefacts it uses."""
    begin_at_ns: int | None = None
    """Wait on the clock until then first: the pause before something is tried again."""
    timed: bool = True
    """Whether it may wait on the clock."""
    pulse_s: float = 0.0
    """How often it gives a sign of life; 0 for never."""
    of: str = ""
    """What the task calls; for a check, that which it precedes."""
    unsure: Sequence[str] = ()
    """Tasks that it does not certainly come after, itself left out."""

    results: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    """Outputs of the tasks before it, by task. They stay with the engine until they are asked for: after a thousand
    tasks it takes longer to send them than most tasks take to begin, and few tasks look at them."""

    def to_json(self) -> dict[str, Any]:
        """The job as JSON values, which are not copied."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "results"}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**body)


class LineTooLong(ValueError):
    """The other end sent a line beyond MAX_LINE: it has gone mad."""


class Lines:
    """Cuts a stream of bytes into JSON objects."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the objects that are complete now. Raises ValueError for what is no JSON object, LineTooLong."""
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        if len(rest) > MAX_LINE:
            raise LineTooLong(f"a line of more than {MAX_LINE} bytes")
        for line in lines:
            body = json.loads(line)
            if not isinstance(body, dict):
                raise ValueError("a line that is no JSON object")
            yield body


def pack(message: Mapping[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"
