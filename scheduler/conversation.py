"""What the engine says and hears while a child process runs, until that has ended."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, Protocol

from scheduler.channel import Job, Lines, pack
from scheduler.ending import Ending, Limits, last_words
from scheduler.errors import ClockLost
from scheduler.notify.notice import Notice, Severity
from scheduler.question import Answer
from scheduler.waits import Waits

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

    def keep(self, value: Any, kept: Callable[[], None]) -> None:
        """The task keeps this for its next attempt, and goes on when *kept* is called."""
        ...

    def answer(self, number: int) -> Answer | None:
        """The answer, once it is there. Asked again and again."""
        ...


class Signaller(Protocol):
    """Who can signal a child process."""

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send it a signal, and all that it started."""
        ...


class Conversation:
    """One child process, from its first message to its end. Whoever holds it calls its methods in a loop."""

    def __init__(
        self,
        job: Job,
        pid: int,
        link: socket.socket,
        observer: Observer,
        limits: Limits,
        *,
        signaller: Signaller,
        waits: Waits,
        grace_s: float,
    ) -> None:
        self.pid, self.link = pid, link
        self.timed = job.timed and job.kind != "resolve"
        """Whether simulated time stands while it works."""
        self._observer, self._limits = observer, limits
        self._signaller, self._waits, self._grace_s = signaller, waits, grace_s
        self._lines = Lines()
        self._outgoing = bytearray(pack({"job": job.to_json()}))
        self._results = job.results
        self._ending: Ending | None = None
        self._stopped = False
        self._late: str | None = None
        """What is said of a process that was ended because it took, or was silent, too long."""
        self._asking: tuple[int, int] | None = None
        """Message and number of a question that waits for its answer."""
        self._keeping = False
        """What it keeps is not durable yet."""
        self._started_s = self._seen_s = time.monotonic()
        self._worked_s = 0.0
        """How much of its time limit it has used: not while people think about an answer."""
        self._silent_s = 0.0
        self._kill_at_s: float | None = None
        self.deaf = False
        """Its end of the line is closed."""
        link.setblocking(False)

    @property
    def interest(self) -> int:
        """What to select its link for."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)

    def goes_on(self, *, stands: bool) -> bool:
        """Whether it can get on with its work while nothing is written down, and time *stands* or not."""
        return not self._keeping and self._asking is None and not (stands and self._waits.has(self))

    @property
    def busy(self) -> bool:
        """Whether simulated time must stand for it."""
        return self.timed and not self._waits.has(self)

    def stop(self) -> None:
        """Let it end, cleaning up; what it found does not count."""
        if self._kill_at_s is None:
            self._stopped = True
            self._end_soon()

    def kill(self) -> None:
        """End it now."""
        self._stopped = True
        self._signaller.signal(self.pid, signal.SIGKILL)

    def look(self) -> None:
        """End it when it is late, and pass on what people have answered."""
        now_s = time.monotonic()
        passed_s, self._seen_s = now_s - self._seen_s, now_s
        if self._asking is None:
            self._worked_s += passed_s
        # When this process itself was held up, by a disk or a suspended machine, the task could say what it liked.
        self._silent_s += min(passed_s, LONGEST_LOOK_S)
        if self._kill_at_s is None:
            self._late = self._limits.broken(self._worked_s, self._silent_s)
            if self._late is not None:
                self._end_soon()
        elif now_s > self._kill_at_s:
            self._signaller.signal(self.pid, signal.SIGKILL)
        self._pass_answer_on()

    def exchange(self) -> None:
        """Read what has come and write what is to go."""
        self._read()
        if self._outgoing:
            try:
                sent = self.link.send(self._outgoing)
                del self._outgoing[:sent]
            except BlockingIOError:
                pass
            except ConnectionError:
                self._outgoing.clear()  # nobody is left to hear it

    def conclude(self, status: int) -> Ending:
        """How it ended; *status* is its wait status."""
        self._read()  # what it said last may still lie in the socket
        self._waits.drop(self)
        wall_s = round(time.monotonic() - self._started_s, 3)
        if self._stopped:
            return Ending(stopped=True, wall_s=wall_s)
        if self._late is not None:
            return Ending(error=self._late, wall_s=wall_s)
        if self._ending is None:
            return Ending(error=last_words(status), wall_s=wall_s)
        ending = self._ending
        return Ending(ending.result, ending.error, ending.traceback, wall_s=wall_s)

    def _end_soon(self) -> None:
        self._waits.drop(self)  # its wait is cut short; cleaning up may wait again
        self._kill_at_s = time.monotonic() + self._grace_s
        self._signaller.signal(self.pid, signal.SIGTERM)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self.link.recv(1 << 16):
                self._silent_s = 0.0
                try:
                    for message in self._lines.feed(data):
                        self._take(message)
                except (ValueError, KeyError, TypeError) as error:
                    self._ending = Ending(error=f"the task process broke its protocol: {error}")
                    self._signaller.signal(self.pid, signal.SIGKILL)
            self.deaf = True

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
            self._keep(int(message["id"]), message["keep"])
        elif "results" in message:
            self._say({"id": int(message["id"]), "results": self._results()})
        elif "alive" in message:
            pass
        elif "result" in message:
            self._ending = Ending(result=message["result"])
        else:
            self._ending = Ending(error=message["error"], traceback=message["traceback"])

    def _keep(self, number: int, value: Any) -> None:
        def kept() -> None:
            self._keeping = False
            self._say({"id": number, "kept": True})

        self._keeping = True
        if self._stopped:
            kept()
        else:
            self._observer.keep(value, kept)

    def _pass_answer_on(self) -> None:
        if self._asking is None:
            return
        message, number = self._asking
        answer = self._observer.answer(number)
        if answer is not None:
            self._asking = None
            self._say({"id": message, "answer": asdict(answer)})

    def _wait(self, number: int, t_ns: int | None) -> None:
        def answer(now: int | ClockLost) -> None:
            lost = {"lost": str(now)} if isinstance(now, ClockLost) else {"now": now}
            self._say({"id": number, **lost})

        if t_ns is not None:
            self._waits.add(self, t_ns, answer)
            return
        try:
            answer(self._waits.now_ns())
        except ClockLost as error:
            answer(error)

    def _say(self, message: dict[str, Any]) -> None:
        self._outgoing += pack(message)
