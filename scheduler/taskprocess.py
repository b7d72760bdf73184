"""The inside of a task process: runs one function, says how it went, and dies with its engine."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, Final

from scheduler.artefacts import FOLDER, listed
from scheduler.asking_engine import EarlierResults, EngineClock
from scheduler.calling import call_with, uncallable
from scheduler.channel import MAX_KEPT, MAX_NOTE, MAX_NOTICES, MAX_OUTPUTS, Job, Lines, pack
from scheduler.journal import canonical
from scheduler.notify.notice import Notice, Severity
from scheduler.pictures import keep_picture
from scheduler.question import Answer
from scheduler.task import CheckResult, TaskContext, TaskResult

PROGRESS_PERIOD_S: Final = 0.1
EXIT_ORPHANED: Final = 70
ALIVE: Final = pack({"alive": True})


class Stopped(BaseException):
    """The engine wants this task to end now. Not an Exception, so that only `finally` sees it."""


class Channel:
    """The task's end of the line to the engine."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._sending = threading.Lock()
        self._numbers = count(1)
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._pulse_s = 0.0
        threading.Thread(target=self._listen, name="engine", daemon=True).start()

    def job(self) -> Job:
        """What to run; blocks until the engine has said it."""
        return self._jobs.get()

    def say(self, message: dict[str, Any]) -> None:
        """Send a message."""
        line = pack(message)
        with self._sending:
            self._link.sendall(line)

    def inquire(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a question and wait for its answer. From any thread."""
        number = next(self._numbers)
        self._answers[number] = queue.SimpleQueue()
        try:
            self.say({"id": number, **question})
            return self._answers[number].get()
        finally:
            del self._answers[number]

    def _listen(self) -> None:
        """Pass on what the engine says. When it is gone, so is this process: at once, whatever it is doing."""
        lines = Lines()
        try:
            while self._give_sign_of_life() and (data := self._link.recv(1 << 16)):
                for message in lines.feed(data):
                    if "job" in message:
                        job = Job.from_json(message["job"])
                        self._pulse_s = job.pulse_s
                        self._jobs.put(job)
                    elif (waiting := self._answers.get(message["id"])) is not None:
                        waiting.put(message)  # else a signal cut the question short
        finally:
            os._exit(EXIT_ORPHANED)

    def _give_sign_of_life(self) -> bool:
        """Do so every now and then until the engine says something.

        This thread runs only while the interpreter does: a process that is suspended, or hangs in a call that does not
        let other threads run, gives none.
        """
        while not select.select([self._link], [], [], self._pulse_s or None)[0]:
            if self._sending.acquire(blocking=False):  # else another thread is saying something just now
                try:
                    self._link.sendall(ALIVE)
                finally:
                    self._sending.release()
        return True


class ChannelReporter:
    """Sends progress, thinned, notes, and notices with their pictures."""

    def __init__(
        self,
        channel: Channel,
        run_dir: Path,
        monotonic_s: Callable[[], float] = time.monotonic,
        *,
        may_ask: bool = True,
    ) -> None:
        self._channel, self._run_dir = channel, run_dir
        self._questions = count(1) if may_ask else None
        self._notices = 0
        self._monotonic_s = monotonic_s
        self._next_s = 0.0

    def progress(self, done: float, total: float, text: str) -> None:
        """Send it unless one was sent a moment ago; the last one (done reaches total) always goes."""
        now_s = self._monotonic_s()
        if now_s < self._next_s and done < total:
            return
        self._next_s = now_s + PROGRESS_PERIOD_S
        self._channel.say({"progress": [done, total, text]})

    def note(self, text: str) -> None:
        """Send it, cut to MAX_NOTE characters."""
        self._channel.say({"note": _cut(text)})

    def notify(self, notice: Notice) -> None:
        """Send it, its picture kept below the run folder; nothing beyond MAX_NOTICES."""
        self._notices += 1
        if self._notices > MAX_NOTICES:
            return
        text, picture = notice.text, ""
        if notice.picture:
            try:
                picture = keep_picture(self._run_dir, Path(notice.picture))
            except (OSError, ValueError) as error:
                text += f" (its picture {notice.picture} is missing: {error})"
        if self._notices == MAX_NOTICES:
            text += f" (the last of {MAX_NOTICES}: more is not told)"
        title = notice.title or Path(notice.picture).name
        body = {
            "severity": str(notice.severity),
            "text": _cut(text),
            "picture": picture,
            "title": _cut(title),
        }
        self._channel.say({"notify": body})

    def ask(self, text: str, severity: Severity) -> Answer:
        """Wait until a person has said yes. Raises RuntimeError in a check."""
        if self._questions is None:
            raise RuntimeError("a check cannot ask people; put a task before, or tell them (notify)")
        body = {"number": next(self._questions), "text": _cut(text), "severity": str(severity)}
        return Answer(**self._channel.inquire({"ask": body})["answer"])

    def keep(self, value: Any) -> None:
        """Wait until it is durable. Raises RuntimeError in a check, ValueError."""
        if self._questions is None:
            raise RuntimeError("a check keeps nothing: it begins anew each time")
        try:
            size = len(canonical(value))
        except (TypeError, ValueError) as error:
            raise ValueError(f"what is kept must be JSON: {error}") from error
        if size > MAX_KEPT:
            raise ValueError(
                f"what is kept has {size} bytes, more than {MAX_KEPT}; write it to a file in artefacts"
            )
        self._channel.inquire({"keep": value})


def _cut(text: str) -> str:
    return text if len(text) <= MAX_NOTE else f"{text[: MAX_NOTE - 1]}…"


def carry_out(job: Job, channel: Channel) -> dict[str, Any]:
    """Run the job; return the last message. Exceptions of the function become an error message."""
    try:
        if job.kind == "resolve":
            return {"result": uncallable(job.arguments)}
        clock = EngineClock(channel.inquire, timed=job.timed)
        if job.begin_at_ns is not None:
            EngineClock(channel.inquire).wait_until(job.begin_at_ns)
        context = TaskContext(
            run_dir=Path(job.run_dir),
            task_id=job.task_id,
            title=job.title,
            attempt=job.attempt,
            arguments=job.arguments,
            parameters=job.parameters,
            results=EarlierResults(channel.inquire),
            environment=job.environment,
            clock=clock,
            failures=job.failures,
            kept=job.kept,
            since=job.since,
            call=job.of,
            unsure=frozenset(job.unsure),
            reporter=ChannelReporter(channel, Path(job.run_dir), may_ask=job.kind == "task"),
        )
        returned = call_with(context, job.call, job.positional)
        return {"result": _check(job, returned) if job.kind == "check" else _result(job, returned)}
    except Stopped:
        return {"error": "stopped by the engine", "traceback": ""}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a task raises becomes its ERROR
        traceback.print_exc()
        told = str(error)
        sentence = f"{type(error).__name__}: {told}" if told else type(error).__name__
        return {"error": sentence, "traceback": traceback.format_exc()}


def _result(job: Job, returned: object) -> dict[str, Any]:
    result = TaskResult() if returned is None else returned
    if not isinstance(result, TaskResult):
        raise TypeError(f"{job.call} returned {type(result).__name__}; a task returns a TaskResult or None")
    try:
        size = len(canonical(dict(result.outputs)))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{job.call} returned outputs that are not JSON: {error}") from error
    if size > MAX_OUTPUTS:
        raise ValueError(
            f"{job.call} returned outputs of {size} bytes; write them to a file below the run folder, "
            f"at most {MAX_OUTPUTS} go into the journal"
        )
    left = listed(Path(job.run_dir, FOLDER, job.task_id, str(job.since)))
    return {
        "verdict": str(result.verdict),
        "outputs": dict(result.outputs),
        "artefacts": [asdict(artefact) for artefact in left],
    }


def _check(job: Job, returned: object) -> dict[str, Any]:
    if not isinstance(returned, CheckResult):
        raise TypeError(f"{job.call} returned {type(returned).__name__}; a check returns a CheckResult")
    return {"ok": returned.ok, "text": returned.text, "repaired": returned.repaired}


def _stop(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: cleaning up is not to be disturbed
    raise Stopped


def _write_to(folder: Path, name: str) -> None:
    """Let standard output and error go to a file. Raises OSError; then they go where the launcher's go."""
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def main(link: socket.socket) -> None:
    """Run one job and end this process. Its output goes to the run's `log/` folder."""
    channel = Channel(link)
    job = channel.job()
    with contextlib.suppress(OSError):  # a disk that takes no log file: cleaning up must not end with that
        _write_to(
            Path(job.run_dir) / "log", f"{job.task_id}.log" if job.kind == "task" else f"{job.kind}.log"
        )
    faulthandler.enable(sys.stderr)
    ended: dict[str, Any] = {"error": "stopped by the engine", "traceback": ""}
    with contextlib.suppress(Stopped):
        signal.signal(signal.SIGTERM, _stop)
        ended = carry_out(job, channel)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel.say(ended)
    sys.stdout.flush()
    sys.stderr.flush()
