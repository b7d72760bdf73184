"""One client's connection to a console, and what stays when it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.degg.console.forth import MAX_REPLY, Item, Word, evaluate
from sim.degg.console.lines import Line, LineReader
from sim.degg.console.ymodem import SYNC, Receiver
from sim.degg.refusal import Refused

if TYPE_CHECKING:
    from sim.degg.module import Module
    from sim.kernel import SimTime

PROMPT: Final = b"\r\n> "
BOOT: Final = "boot"
INVITATIONS: Final = 20
INVITATION_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes that the board sends."""

    data: bytes
    after_s: float = 0.0
    """How long it is at work before."""
    until_input: bool = False
    """It is given up when the client sends something meanwhile."""
    by_wall: bool = False
    """It takes wall time on every clock."""


INVITATION: Final = (Said(SYNC, INVITATION_S, until_input=True, by_wall=True),) * INVITATIONS
"""The sender throws away what has come before it listens: it is invited again and again, for ten seconds."""


class Console:
    """The console of one board. Stack and echo are the board's: they outlive a connection."""

    def __init__(self, board: Module, words: Mapping[str, Word]) -> None:
        self.board, self.words = board, words
        self.stack: list[Item] = []
        self._starts = board.starts
        self.upload: str | None = None
        """A file of this name is to follow on the connection that asked for it."""

    def connect(self) -> Session:
        """A new connection."""
        return Session(self)

    def command(self, line: Line, now: SimTime) -> list[Said]:
        """What the board says to a line."""
        board = self.board
        if not board.listens(now):
            return []
        self._follow_restart()
        echo = line.raw if board.echo else b""
        if board.in_bootloader:
            return self._bootloader(line, echo, now)
        if line.too_long:
            self.stack.clear()
            return [Said(echo + b"Line too long" + PROMPT)]
        reply = evaluate(self.words, board, self.stack, line.text, now)
        if board.starts != self._starts:  # `reboot` has no answer
            return []
        if reply.upload is not None:
            self.upload = reply.upload
            return [Said(echo), *INVITATION]
        if reply.silent:
            return [Said(echo)] if echo else []
        answer = bytes(reply.data) + PROMPT
        if reply.after_s <= 0:
            return [Said(echo + answer)]
        spoken = [Said(echo)] if echo else []
        return [*spoken, Said(answer, reply.after_s, reply.until_input)]

    def _bootloader(self, line: Line, echo: bytes, now: SimTime) -> list[Said]:
        command = line.text.strip()
        if command != BOOT:
            text = f"{command.split()[0]} ?".encode("latin-1") if command else b""
            return [Said(echo + text + PROMPT)]
        wait_s = self.board.boot(now)
        spoken = [Said(echo)] if echo and wait_s > 0 else []
        return [*spoken, Said((b"" if spoken else echo) + PROMPT, wait_s)]

    def _follow_restart(self) -> None:
        if self.board.starts != self._starts:
            self._starts = self.board.starts
            self.stack.clear()


class Session:
    """One connection: what is half received belongs to it. A `Talker` for a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = LineReader()
        self._push: Callable[[bytes], None] | None = None
        self._receiver: Receiver | None = None
        self._name = ""

    def receive(self, data: bytes, now: SimTime) -> Sequence[Said]:
        """Take bytes, split or merged in any way. Never raises."""
        board = self._console.board
        board.interrupt(now)
        if self._receiver is None:
            return self._commands(data, now)
        if not board.listens(now):
            return []
        return self._transfer(self._receiver, data, now)

    def _commands(self, data: bytes, now: SimTime) -> list[Said]:
        said: list[Said] = []
        total = 0
        for line in self._lines.feed(data):
            if (
                total > MAX_REPLY
            ):  # the board's input buffer has overrun: what came in the same packet is lost
                break
            answers = self._console.command(line, now)
            total += sum(len(answer.data) for answer in answers)
            said += answers
            if self._console.upload is not None:
                self._name, self._console.upload = self._console.upload, None
                self._receiver = Receiver()
                break
        return said

    def _transfer(self, receiver: Receiver, data: bytes, now: SimTime) -> list[Said]:
        answer = receiver.feed(data)
        if not receiver.ended:
            return [Said(answer)] if answer else []
        self._receiver = None
        if receiver.content is not None:
            try:
                self._console.board.flash.write(self._name, receiver.content)
            except Refused as refused:
                answer += f"ymodemFlashUpload: FAIL, {refused}".encode("latin-1")
        if answer:
            answer += PROMPT
        spoken = [Said(answer)] if answer else []
        return [*spoken, *(self._commands(receiver.rest, now) if receiver.rest else [])]

    def attach(self, push: Callable[[bytes], None]) -> None:
        """What the board says unasked goes there from now on."""
        self._push = push
        self._console.board.listener = push

    def detach(self) -> None:
        """The client has gone."""
        if self._console.board.listener is self._push:
            self._console.board.listener = None
