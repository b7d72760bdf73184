"""What wakes the engine from waiting: signals, and threads that have finished something."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Any, Final, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wake:
    """A socket that becomes readable when `ring` is called or a signal has come; counts the signals.

    Use as a context manager. Signal handlers are set only in the main thread; elsewhere signals are the caller's.
    """

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._before: dict[signal.Signals, Any] = {}
        self._descriptor_before = -1
        self.signals = 0
        """How many have come."""
        self.last_signal = ""
        """The name of the latest."""

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # What is ignored stays so: nohup lets a program outlive its terminal.
            heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in heard}
            self._descriptor_before = signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            signal.set_wakeup_fd(self._descriptor_before)
            for number, handler in self._before.items():
                signal.signal(number, handler)
        self._near.close()
        self._far.close()

    def fileno(self) -> int:
        """For a selector."""
        return self._near.fileno()

    def ring(self) -> None:
        """Make the socket readable. From any thread."""
        with contextlib.suppress(BlockingIOError):  # full: it is readable already
            self._far.send(b"\0")

    def hush(self) -> None:
        """Take in what made it readable."""
        with contextlib.suppress(BlockingIOError):
            while self._near.recv(4096):
                pass

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signals += 1
        self.last_signal = signal.Signals(number).name
