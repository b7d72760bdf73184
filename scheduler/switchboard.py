"""All conversations of an engine, in one loop."""

from __future__ import annotations

import selectors
from types import TracebackType
from typing import Final, Self

from scheduler.channel import Job
from scheduler.conversation import Conversation, Observer
from scheduler.ending import Ending, Limits
from scheduler.runner import Runner
from scheduler.waits import Waits
from scheduler.wake import Wake

POLL_S: Final = 0.25
"""How often the engine looks around when nothing happens."""


class Switchboard:
    """Holds the conversations that are under way. Use as a context manager, inside that of the runner."""

    def __init__(self, runner: Runner, waits: Waits, wake: Wake, grace_s: float) -> None:
        self._runner, self._waits, self._wake, self._grace_s = runner, waits, wake, grace_s
        self._held: dict[int, Conversation] = {}
        """By process id."""
        self._dead: dict[int, int] = {}
        """Wait status of those whose end was not told yet, by process id."""
        self._selector = selectors.DefaultSelector()
        self._ending = False

    def __enter__(self) -> Self:
        self._selector.register(self._runner, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waits.close()
        self._selector.close()
        for conversation in self._held.values():
            conversation.link.close()  # the launcher kills what still runs

    def __len__(self) -> int:
        return len(self._held)

    @property
    def stopping(self) -> bool:
        """Whether processes that were told to end have not done so yet."""
        return self._ending and bool(self._held)

    def goes_on(self, *, stands: bool) -> bool:
        """Whether any of them can get on with its work while nothing is written down, and time *stands* or not."""
        return any(conversation.goes_on(stands=stands) for conversation in self._held.values())

    def start(self, job: Job, observer: Observer, limits: Limits) -> Conversation:
        """Run a job in a child. Raises LauncherLost; all else that goes wrong is its Ending."""
        pid, link = self._runner.start()
        conversation = Conversation(
            job, pid, link, observer, limits, signaller=self._runner, waits=self._waits, grace_s=self._grace_s
        )
        self._held[pid] = conversation
        self._selector.register(link, conversation.interest)
        return conversation

    def turn(self, *, stands: bool = False) -> list[tuple[Conversation, Ending]]:
        """Let everybody talk once, and time go on if all wait for it and it need not stand.

        Returns who has ended. Raises LauncherLost, and what observers raise: it can be called again after that.
        """
        self._waits.turn(lambda: stands or any(conversation.busy for conversation in self._held.values()))
        for conversation in self._held.values():
            if not conversation.deaf:
                self._selector.modify(conversation.link, conversation.interest)
        ready = {key.fileobj for key, _ in self._selector.select(POLL_S)}
        if self._wake in ready:
            self._wake.hush()
        for conversation in self._held.values():
            if conversation.link in ready:
                conversation.exchange()
                if conversation.deaf:
                    self._selector.unregister(conversation.link)  # end of file would keep the selector awake
            conversation.look()
        self._dead |= dict(self._runner.deaths())
        ended = []
        while self._dead:
            pid, status = self._dead.popitem()
            if pid in self._held:
                ended.append(self._conclude(pid, status))
        self._ending = self._ending and bool(self._held)
        return ended

    def stop(self) -> None:
        """Tell all to end."""
        self._ending = True
        for conversation in self._held.values():
            conversation.stop()

    def kill(self) -> None:
        """End all now, and wait until they have."""
        self._ending = True
        while self._held:
            for conversation in self._held.values():
                conversation.kill()
            self.turn()

    def _conclude(self, pid: int, status: int) -> tuple[Conversation, Ending]:
        conversation = self._held.pop(pid)
        try:
            return conversation, conversation.conclude(status)
        finally:
            if conversation.link.fileno() in self._selector.get_map():
                self._selector.unregister(conversation.link)
            conversation.link.close()
