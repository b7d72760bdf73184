"""What the engine says and hears while a child process runs, until that has ended."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from scheduler.channel import Job, Lines, pack
from scheduler.errors import ClockLost
from scheduler.notify.notice import Notice, Severity
from scheduler.question import Answer

if TYPE_CHECKING:
    from scheduler.runner import Runner

POLL_S: Final = 0.25
"""How often the observer is asked whether the task should stop, when nothing else happens."""
LONGEST_LOOK_S: Final = 1.0


class Observer(Protocol):
    """Who is told what a task says while it runs."""

    def note(self, text: str) -> None:
        """The task wrote a sentence for the journal."""
        ...

    def notify(self, notice: Notice) -> None:
        """The task has something to tell people."""
        ...

    def progress(self, done: float, total: float, text: str) -> None:
        """The task told how far it is."""
        ...

    def ask(self, number: int, text: str, severity: str) -> None:
        """The task's number-th question to people; it waits for the answer."""
        ...

    def keep(self, value: Any) -> None:
        """The task keeps this for its next attempt."""
        ...

    def answer(self, number: int) -> Answer | None:
        """The answer, once it is there. Asked again and again."""
        ...

    def stop_wanted(self) -> bool:
        """Whether the task should be ended now. Asked again and again."""
        ...

    def hurry(self) -> bool:
        """Whether it should be ended without its chance to clean up."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child process ended: with a result, or with an error."""

    result: dict[str, Any] | None = None
    error: str = ""
    traceback: str = ""
    stopped: bool = False
    """Because the observer wanted it; then the rest does not count."""
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a process may take, and be silent; wall time, seconds."""

    timeout_s: float
    heartbeat_s: float = math.inf

    def broken(self, worked_s: float, silent_s: float) -> str | None:
        """A sentence on the limit that is broken, if one is."""
        if worked_s > self.timeout_s:
            return f"took longer than {self.timeout_s:g} s and was stopped"
        if silent_s > self.heartbeat_s:
            return (
                f"gave no sign of life for {self.heartbeat_s:g} s and was stopped: it is suspended, or hangs in a "
                f"call that does not return"
            )
        return None


class Conversation:
    """One child process, from its first message to its end."""

    def __init__(
        self, runner: Runner, pid: int, link: socket.socket, observer: Observer, limits: Limits
    ) -> None:
        self._runner, self._pid, self._link, self._observer = runner, pid, link, observer
        self._limits = limits
        self._lines = Lines()
        self._outgoing = bytearray()
        self._ending: Ending | None = None
        self._stopped = False
        self._late: str | None = None
        """What is said of a process that was ended because it took, or was silent, too long."""
        self._silent_s = 0.0
        self._kill_at_s: float | None = None
        self._asking: tuple[int, int] | None = None
        """Message and number of a question that waits for its answer."""
        self._worked_s = 0.0
        """How much of its time limit the task has used: not while people think about an answer."""
        self._waiting: Future[int] | None = None
        self._waited: list[tuple[int, Future[int]]] = []
        self._selector = selectors.DefaultSelector()

    def hold(self, job: Job) -> Ending:
        """Talk until the process has ended."""
        started_s = time.monotonic()
        self._link.setblocking(False)
        self._outgoing += pack({"job": job.to_json()})
        with self._selector as selector:
            selector.register(self._link, selectors.EVENT_READ | selectors.EVENT_WRITE)
            selector.register(self._runner.control, selectors.EVENT_READ)
            selector.register(self._runner.wake, selectors.EVENT_READ)
            status, seen_s = None, started_s
            while status is None:
                ready = {key.fileobj for key, events in selector.select(POLL_S) if events}
                if self._runner.wake in ready:
                    self._runner.wake.hush()
                self._answer_waits()
                if self._link in ready:
                    self._exchange()
                if self._runner.control in ready:
                    status = self._ended()
                now_s = time.monotonic()
                self._count(now_s - seen_s)
                seen_s = now_s
                self._judge(now_s - started_s)
                self._pass_answer_on()
            self._read()  # what it said last may still lie in the socket
        if self._waiting is not None:
            self._runner.end_wait(self._waiting)
        return self._conclude(status, time.monotonic() - started_s)

    def _count(self, passed_s: float) -> None:
        if self._asking is None:
            self._worked_s += passed_s
        # When this process itself was held up, by a disk or a suspended machine, the task could say what it liked.
        self._silent_s += min(passed_s, LONGEST_LOOK_S)

    def _judge(self, elapsed_s: float) -> None:
        """End the task when it is late or no longer wanted."""
        if self._kill_at_s is None:
            self._stopped = self._observer.stop_wanted()
            if not self._stopped:
                self._late = self._limits.broken(self._worked_s, self._silent_s)
            if self._stopped or self._late is not None:
                self._kill_at_s = elapsed_s + self._runner.stop_grace_s
                self._runner.signal(self._pid, signal.SIGTERM)
        elif elapsed_s > self._kill_at_s or self._observer.hurry():
            self._runner.signal(self._pid, signal.SIGKILL)

    def _exchange(self) -> None:
        self._read()
        if self._outgoing:
            try:
                sent = self._link.send(self._outgoing)
                del self._outgoing[:sent]
            except BlockingIOError:
                pass
            except ConnectionError:
                self._outgoing.clear()  # nobody is left to hear it
        self._watch()

    def _watch(self) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        if self._link in self._selector.get_map():
            self._selector.modify(self._link, wanted)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self._link.recv(1 << 16):
                self._silent_s = 0.0
                try:
                    for message in self._lines.feed(data):
                        self._take(message)
                except (ValueError, KeyError, TypeError) as error:
                    self._ending = Ending(error=f"the task process broke its protocol: {error}")
                    self._runner.signal(self._pid, signal.SIGKILL)
            if self._link in self._selector.get_map():
                self._selector.unregister(self._link)  # end of file would keep the selector awake

    def _take(self, message: dict[str, Any]) -> None:
        if "note" in message:
            if not self._stopped:
                self._observer.note(str(message["note"]))
        elif "notify" in message:
            body = message["notify"]  # also while it is being stopped: cleaning up may have the worst to tell
            severity = Severity(body["severity"])
            self._observer.notify(
                Notice(severity, str(body["text"]), picture=str(body["picture"]), title=str(body["title"]))
            )
        elif "progress" in message:
            done, total, text = message["progress"]
            self._observer.progress(float(done), float(total), str(text))
        elif "wait" in message:
            self._wait(int(message["id"]), message["wait"])
        elif "ask" in message:
            body = message["ask"]
            self._asking = (int(message["id"]), int(body["number"]))
            if not self._stopped:
                self._observer.ask(self._asking[1], str(body["text"]), str(Severity(body["severity"])))
        elif "keep" in message:
            if not self._stopped:
                self._observer.keep(message["keep"])
            self._answer({"id": int(message["id"]), "kept": True})
        elif "alive" in message:
            pass
        elif "result" in message:
            self._ending = Ending(result=message["result"])
        else:
            self._ending = Ending(error=message["error"], traceback=message["traceback"])

    def _pass_answer_on(self) -> None:
        if self._asking is None:
            return
        message, number = self._asking
        answer = self._observer.answer(number)
        if answer is not None:
            self._asking = None
            self._answer({"id": message, "answer": asdict(answer)})

    def _wait(self, number: int, t_ns: int | None) -> None:
        if t_ns is None:
            try:
                self._answer({"id": number, "now": self._runner.now_ns()})
            except ClockLost as error:
                self._answer({"id": number, "lost": str(error)})
            return

        def done(future: Future[int]) -> None:
            self._waited.append((number, future))
            self._runner.wake.ring()

        if self._waiting is not None:
            self._runner.end_wait(self._waiting)  # the task was told to stop while it waited
        self._waiting = self._runner.wait_until(t_ns, done)

    def _answer_waits(self) -> None:
        while self._waited:
            number, future = self._waited.pop(0)
            try:
                self._answer({"id": number, "now": future.result()})
            except ClockLost as error:
                self._answer({"id": number, "lost": str(error)})

    def _answer(self, message: dict[str, Any]) -> None:
        self._outgoing += pack(message)
        self._watch()

    def _ended(self) -> int | None:
        message = self._runner.hear()
        return int(message["status"]) if message.get("ended") == self._pid else None

    def _conclude(self, status: int, wall_s: float) -> Ending:
        wall_s = round(wall_s, 3)
        if self._stopped:
            return Ending(stopped=True, wall_s=wall_s)
        if self._late is not None:
            return Ending(error=self._late, wall_s=wall_s)
        if self._ending is None:
            return Ending(error=_last_words(status), wall_s=wall_s)
        ending = self._ending
        return Ending(ending.result, ending.error, ending.traceback, wall_s=wall_s)


def _last_words(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"the task process was killed by {signal.Signals(-code).name}; its log may tell more"
    return f"the task process ended with exit code {code} and no result; its log may tell more"
