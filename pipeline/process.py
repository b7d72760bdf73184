"""The pipeline as a child process: `python -m pipeline.process`, driven by JSON lines on stdin and stdout.

The protocol is described in docs/architecture.md, "Child protocol". What libraries print goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import PipelineTable
from pipeline.errors import PipelineError
from pipeline.model import TrainClock
from pipeline.online.assembly import OnlinePipeline

EXIT_USAGE: Final = 2
EXIT_OUR_BUG: Final = 4
STOP_TIMEOUT_S: Final = 5.0
MAX_LINE_BYTES: Final = 4 << 20


class _Time(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    anchor_train_id: int = Field(ge=1)
    anchor_unix_ns: int
    period_ns: int = Field(default=100_000_000, gt=0)


class _Order(BaseModel):
    """The first line from the parent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    table: PipelineTable
    data_dir: str
    endpoints: dict[str, str | list[str]] = {}
    token: str = Field(min_length=8)
    time: _Time


class _Stopped(Exception):
    """A signal asked us to stop."""


def main() -> int:
    """Read the order, run the pipeline until told to stop; the exit code."""
    answers = _claim_stdout()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent stops us in order
    signal.signal(signal.SIGTERM, _raise_stopped)
    line = sys.stdin.readline(MAX_LINE_BYTES)
    if not line:
        return 0
    try:
        # JSON has no tuples: strict parsing takes lists for them only from JSON itself.
        order = _Order.model_validate_json(line)
        pipeline = build(order)
        addresses = pipeline.start()
    except ValidationError as error:
        return _fail(answers, _first_sentence(error), EXIT_USAGE)
    except PipelineError as error:
        return _fail(answers, str(error), EXIT_USAGE)
    except Exception as error:  # noqa: BLE001 - the process's border: the parent must hear of every failure
        structlog.get_logger().exception("could not start")
        return _fail(answers, f"the pipeline could not start: {type(error).__name__}: {error}", EXIT_OUR_BUG)
    try:
        with contextlib.suppress(_Stopped):  # from here on a signal may come at any moment
            _send(answers, {"ready": addresses})
            _serve(answers, pipeline)
    finally:
        _stop_in_time(pipeline)  # whatever ends serving: threads would keep the process alive
    return 0


def build(order: _Order) -> OnlinePipeline:
    """The pipeline that a parent ordered."""
    clock = TrainClock(order.time.anchor_train_id, order.time.anchor_unix_ns, order.time.period_ns)
    return OnlinePipeline(order.table, Path(order.data_dir), order.endpoints, clock, order.token)


def _serve(answers: TextIO, pipeline: OnlinePipeline) -> None:
    """Answer requests until told to stop, or until the parent is gone."""
    while line := sys.stdin.readline(MAX_LINE_BYTES):
        try:
            request = json.loads(line)
        except ValueError as error:
            _send(answers, {"id": None, "refused": f"this line is no JSON: {error}"})
            continue
        if not isinstance(request, dict):
            _send(answers, {"id": None, "refused": "a request is a JSON object"})
        elif request.get("op") == "stop":
            return
        else:
            _send(answers, {"id": request.get("id"), **_answer(request.get("op"), pipeline)})


def _answer(op: Any, pipeline: OnlinePipeline) -> dict[str, Any]:
    if op == "status":
        return {"ok": pipeline.registry.describe()}
    return {"refused": f"the pipeline does not know {op!r}; it knows: status, stop"}


def _claim_stdout() -> TextIO:
    """Keep stdout for answers; whatever else is printed goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return answers


def _send(answers: TextIO, message: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps(message) + "\n")
        answers.flush()
    except BrokenPipeError:
        raise _Stopped from None


def _fail(answers: TextIO, sentence: str, code: int) -> int:
    _send(answers, {"failed": sentence, "exit": code})
    return code


def _first_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _raise_stopped(*_: object) -> None:
    raise _Stopped


def _stop_in_time(pipeline: OnlinePipeline) -> None:
    """Stop, but do not outlive the time that the parent allows."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watchdog = threading.Timer(STOP_TIMEOUT_S, os._exit, (EXIT_OUR_BUG,))
    watchdog.daemon = True
    watchdog.start()
    pipeline.stop()
    watchdog.cancel()


if __name__ == "__main__":
    sys.exit(main())
