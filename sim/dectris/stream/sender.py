"""The thread that owns the streams' sockets: takes from the backlog, sends, waits or drops."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import zmq

from sim.dectris.sinks import ImageRun
from sim.dectris.stream.backlog import Backlog, Item, Run, Sending, Single, head
from sim.dectris.stream.legacy import Parts
from sim.dectris.stream.patience import Patience, Policy
from sim.dectris.stream.settings import Settings
from sim.dectris.stream.sockets import StreamSocket
from sim.kernel import Transcript

CHUNK: Final = 4096
"""Images for one call of a kernel, so that an abort is noticed soon."""
SLOW_CHUNK: Final = 64
KEPT_RINGS: Final = 4
"""Rings that are sent without a copy. They live as long as the sockets, so there are only a few; others are copied."""
NOTES_PER_S: Final = 10
SHOWN_IMAGES: Final = 8
"""Images of a series whose messages stand in the transcript."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the sender tells others. Called from the sender's thread."""

    room_made: Callable[[], None]
    """There is room for images again after some were refused."""
    note: Callable[[str, str], None]
    """A client's address, and what it did: came, went, or does not speak ZeroMQ."""
    transcript: Transcript


class Sender:
    """Sends what is in the backlog, in order, while the stream's mode lets it."""

    def __init__(
        self, backlog: Backlog, settings: Settings, policy: Policy, room: int, outside: Outside
    ) -> None:
        self._backlog, self._settings, self._outside = backlog, settings, outside
        self._patience, self._room = Patience(policy), room
        self._sockets: dict[str, StreamSocket] = {}
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._work, name="stream sender", daemon=True)
        self._stopping = False
        self.broken = False
        """Whether the thread has ended by an error; the log has it."""
        self._kernels: ModuleType | None = None
        self._loading: threading.Thread | None = None
        self._kept: dict[int, object] = {}
        self._held = False
        self._paused: tuple[Item, float] | None = None
        self._notes_left, self._notes_from = NOTES_PER_S, 0.0

    def add(self, form: str, bound: StreamSocket) -> None:
        """Take over a socket; the first one starts the thread."""
        self._sockets[form] = bound
        if not self._thread.is_alive():
            self._thread.start()
        self.wake()

    def wake(self) -> None:
        """There is something new: in the backlog or in the settings."""
        if self._wakeup >= 0:
            os.eventfd_write(self._wakeup, 1)

    def load_kernels(self) -> None:
        """Load what is compiled, in the background: half a second, or some when compiled for the first time."""
        if self._loading is None:
            # No daemon: a thread that compiles must not be torn down with the interpreter.
            self._loading = threading.Thread(target=self._load, name="stream kernels")
            self._loading.start()

    def stop(self, timeout_s: float = 1.5) -> None:
        """End the thread and close the sockets. May be called twice."""
        self._stopping = True
        if self._wakeup < 0:
            return
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        for bound in self._sockets.values():
            bound.close()
        self._sockets.clear()
        os.close(self._wakeup)
        self._wakeup = -1
        self._kept.clear()

    def _load(self) -> None:
        # Imported here because it takes numba in, which costs a bench half a second of start-up.
        kernels = importlib.import_module("sim.dectris.stream.kernels")
        kernels.warm_up()
        self._kernels = kernels

    def _work(self) -> None:
        try:
            while not self._stopping:
                timeout_s = self._step()
                if timeout_s != 0:
                    self._wait(timeout_s)
        finally:
            self.broken = not self._stopping

    def _step(self) -> float | None:
        """Send what can be sent. Returns for how long to wait then: seconds, 0, or None until woken."""
        if self._backlog.take_refusal(self._room):
            self._outside.room_made()
        item = self._backlog.front()
        if item is None:
            self._patience.grant(0)
            return None
        if self._settings.mode != "enabled":
            self._held = True
            return None
        if self._held:
            self._held = False
            self._patience.grant(self._backlog.images)
        if isinstance(item, Single) and (pause_s := self._pause(item)) > 0:
            return pause_s
        done = self._send_run(item) if isinstance(item, Run) else self._send_single(item)
        return 0 if done else self._patience.limit_s

    def _pause(self, item: Single) -> float:
        """How much of the item's delay is left."""
        if item.delay_s <= 0:
            return 0
        now = time.monotonic()
        if self._paused is None or self._paused[0] is not item:
            self._paused = item, now + item.delay_s
        self._patience.grant(self._backlog.images)
        return self._paused[1] - now

    def _may_wait(self, bound: StreamSocket, *, control: bool) -> bool:
        """Whether a message that nobody takes now waits for a receiver."""
        self._hear(bound)
        return self._patience.allows(time.monotonic(), peers=bound.peers, control=control)

    def _send_single(self, item: Single) -> bool:
        """Send one message, or drop it. Returns False when it waits."""
        bound = self._sockets.get(item.sending.form)
        parts = item.make()
        went = bound is not None and self._put(bound, parts)
        if not went and bound is not None and self._may_wait(bound, control=not item.images):
            return False
        if went:
            self._patience.taken()
            if not item.images or item.sending.tally.sent < SHOWN_IMAGES:
                self._show(parts)
        self._count(item.sending, item.images if went else 0, 0 if went else item.images)
        if item.ends:
            tally = item.sending.tally
            self._outside.transcript.sent(
                "stream", f"(images: {tally.sent} sent, {tally.dropped} dropped)".encode()
            )
        self._backlog.advance(item, item.images)
        return True

    def _send_run(self, item: Run) -> bool:
        """Send some images of a run, or drop them. Returns False when they wait."""
        bound = self._sockets.get(item.sending.form)
        if bound is None:
            self._drop(item, item.run.count)
            return True
        kernels = self._kernels
        if kernels is None or item.sending.tally.sent < SHOWN_IMAGES:
            handled, sent = self._send_slowly(item.sending, head(item.run, SLOW_CHUNK), bound)
        else:
            handled, sent = item.sending.messages.send(
                kernels,
                bound.socket.underlying,
                head(item.run, CHUNK),
                waits=self._patience.for_images,
                keep=self._keep(item.sending),
            )
        self._count(item.sending, sent, handled - sent)
        if sent:
            self._patience.taken()
        self._backlog.advance(item, handled)
        if handled:
            return True
        if self._may_wait(bound, control=False):
            return False
        self._drop(item, 1)
        return True

    def _send_slowly(self, sending: Sending, run: ImageRun, bound: StreamSocket) -> tuple[int, int]:
        """As a kernel does, one message after another; the first ones stand in the transcript."""
        sent = 0
        for number in range(run.first, run.first + run.count):
            parts = sending.messages.image(number, run)
            if self._put(bound, parts):
                sent += 1
                if sending.tally.sent + sent <= SHOWN_IMAGES:
                    self._show(parts)
            elif self._patience.for_images:
                return number - run.first, sent
        return run.count, sent

    def _put(self, bound: StreamSocket, parts: Parts) -> bool:
        """Send a message whole or not at all; whether it went.

        Whether there is room is decided at the first part. When a receiver is lost in the middle of a message, libzmq
        takes all of it back.
        """
        last = len(parts) - 1
        for place, part in enumerate(parts):
            try:
                bound.socket.send(part, zmq.NOBLOCK | (zmq.SNDMORE if place < last else 0))
            except zmq.Again:
                return False
        return True

    def _drop(self, item: Run, count: int) -> None:
        self._count(item.sending, 0, count)
        self._backlog.advance(item, count)

    def _count(self, sending: Sending, sent: int, dropped: int) -> None:
        sending.tally.sent += sent
        sending.tally.dropped += dropped
        self._patience.handled(sent + dropped)

    def _keep(self, sending: Sending) -> bool:
        """Whether the ring lives as long as the sockets, so that libzmq may read from it at any time."""
        ring = sending.messages.series.ring
        if id(ring) not in self._kept and len(self._kept) < KEPT_RINGS:
            self._kept[id(ring)] = ring
        return id(ring) in self._kept

    def _show(self, parts: Parts) -> None:
        for part in parts:
            self._outside.transcript.sent("stream", part)

    def _wait(self, timeout_s: float | None) -> None:
        """Wait until woken, or until a receiver takes the front item, or for so long; hear of clients."""
        poller = zmq.Poller()
        poller.register(self._wakeup, zmq.POLLIN)
        for bound in self._sockets.values():
            poller.register(bound.monitor, zmq.POLLIN)
        item = self._backlog.front()
        if item is not None and self._is_stuck(item):
            poller.register(self._sockets[item.sending.form].socket, zmq.POLLOUT)
        events = dict(poller.poll(None if timeout_s is None else round(timeout_s * 1000)))
        if self._wakeup in events:
            os.eventfd_read(self._wakeup)
        for bound in list(self._sockets.values()):
            if bound.monitor in events:
                self._hear(bound)

    def _is_stuck(self, item: Item) -> bool:
        """Whether a receiver is what the item waits for: neither the mode nor a pause holds it."""
        if self._settings.mode != "enabled" or item.sending.form not in self._sockets:
            return False
        return not (isinstance(item, Single) and item.delay_s > 0 and self._pause(item) > 0)

    def _hear(self, bound: StreamSocket) -> None:
        """Pass on who came and went, some a second."""
        for peer, what in bound.news():
            now = time.monotonic()
            if now - self._notes_from >= 1:
                self._notes_left, self._notes_from = NOTES_PER_S, now
            if self._notes_left:
                self._notes_left -= 1
                self._outside.note(peer, what)
