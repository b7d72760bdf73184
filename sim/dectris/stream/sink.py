"""The streams as a way out of the control unit, and as its servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import zmq

from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream.backlog import Backlog, Sending, head
from sim.dectris.stream.faults import StreamFaults
from sim.dectris.stream.patience import Policy
from sim.dectris.stream.sender import Outside, Sender
from sim.dectris.stream.series import messages_of
from sim.dectris.stream.settings import Settings
from sim.dectris.stream.sockets import StreamSocket
from sim.kernel import FaultBoard, Problem, Server, Transcript

HELD_IMAGES: Final = 1 << 18
"""Images that wait in all but a lossless stream: while the mode is disabled, or a fault keeps the stream silent."""
MAX_CONTROL: Final = 1024
"""Start and end messages that wait; with more, an arm forgets what waits: nobody has received for long."""
NAMES: Final = {"legacy": "stream 1", "cbor": "stream 2"}
LONG_SERIES: Final = 512
"""Images of a series that is worth loading the kernels for."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How the streams are built."""

    policy: Policy = Policy.BLOCK
    queue: int = 1000
    """Messages that wait for each receiver; with policy block as many images more before the acquisition waits."""
    legacy_port: int = 0
    cbor_port: int = 0


def _unheard(_: str, __: str) -> None:
    """Nobody asks who came and went."""


class StreamSink:
    """Takes a control unit's images and sends them on the stream that `format` names at arm.

    While the stream's mode is disabled, the messages of the armed series are held and go out when it is enabled:
    LiberTEM-live enables the stream only after arm and its trigger. All methods are for the event loop's thread.
    """

    def __init__(
        self,
        device: str,
        settings: Settings,
        faults: FaultBoard,
        transcript: Transcript,
        *,
        room_made: Callable[[], None],
        options: StreamOptions | None = None,
        note: Callable[[str, str], None] = _unheard,
        now: Callable[[], int] = lambda: 0,
    ) -> None:
        """*room_made* and *note* (client's address, what it did) are called from a thread; *now*: simulated ns."""
        self.options = options or StreamOptions()
        self._device, self._settings, self._room_made, self._now = device, settings, room_made, now
        self._faults = StreamFaults(faults)
        self._backlog = Backlog()
        outside = Outside(room_made, note, transcript)
        self._sender = Sender(self._backlog, settings, self.options.policy, self.options.queue, outside)
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._sending: Sending | None = None
        self._armed = False

    @property
    def dropped(self) -> int:
        """Images not delivered since arm."""
        return 0 if self._sending is None else self._sending.tally.dropped

    @property
    def state(self) -> str:
        """disabled, ready, acquire or error."""
        if self._sender.broken:
            return "error"
        if self._settings.mode != "enabled":
            return "disabled"
        return "acquire" if self._armed else "ready"

    def configured(self) -> None:
        """Keys of the stream module were written: what is held may have to go out now."""
        if self._settings.mode != "enabled" and self._backlog.take_refusal(HELD_IMAGES):
            self._room_made()
        self._sender.wake()

    def initialize(self) -> None:
        """The keys are back at their defaults: counters begin anew."""
        if self._sending is not None:
            self._sending.tally.dropped = 0
        self._sender.wake()

    def begin(self, series: ArmedSeries) -> None:
        """A series was armed: its start message. What is held of an earlier one is lost."""
        if self._settings.mode != "enabled" or self._backlog.control_messages > MAX_CONTROL:
            self._backlog.clear()
        if series.expected >= LONG_SERIES:
            self._sender.load_kernels()
        form = "cbor" if self._settings.format == "cbor" else "legacy"
        self._sending, self._armed = Sending(messages_of(series, self._settings), form), True
        for item in self._faults.start(self._sending):
            self._backlog.put(item)
        self._sender.wake()

    def images(self, run: ImageRun) -> int:
        """Take images: all of them, or, when lossless, as many as fit."""
        sending = self._sending
        if sending is None or not self._armed:
            return run.count
        blocks = self.options.policy is Policy.BLOCK and self._settings.mode == "enabled"
        fits = self._backlog.room(run.count, self.options.queue if blocks else HELD_IMAGES)
        if not blocks:
            sending.tally.dropped += run.count - fits
        if fits:
            for item in self._faults.images(sending, head(run, fits)):
                self._backlog.put(item)
            self._sender.wake()
        return fits if blocks else run.count

    def end(self) -> None:
        """The end message, behind everything that waits."""
        if self._sending is None or not self._armed:
            return
        self._armed = False
        for item in self._faults.end(self._sending):
            self._backlog.put(item)
        self._sender.wake()

    def abort(self) -> None:
        """Images that were not handed to ZeroMQ yet are gone; then the end message."""
        self._faults.forget()
        self._backlog.discard_images()
        self.end()

    def forget(self) -> None:
        """As when the service dies: nothing more of the series goes out, no end message either."""
        self._faults.forget()
        self._backlog.clear()
        self._armed = False
        self._sender.wake()

    def servers(self) -> Mapping[str, Server]:
        """The two addresses: `stream` and `stream2`."""
        return {
            "stream": StreamServer(self, "legacy", self.options.legacy_port),
            "stream2": StreamServer(self, "cbor", self.options.cbor_port),
        }

    def bind(self, form: str, port: int) -> str:
        """Bind one stream's socket and hand it to the sender. Returns its address. Raises AddressTaken."""
        if self._context is None:
            self._context = zmq.Context(io_threads=1)
        bound = StreamSocket(self._context, self._device, NAMES[form], port, self.options.queue)
        if self.options.policy is Policy.DROP:
            self._sender.load_kernels()
        self._sender.add(form, bound)
        return bound.address

    def close(self) -> None:
        """End the sender; messages that nobody took are lost. May be called twice."""
        self._sender.stop()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def problems(self) -> Sequence[Problem]:
        """The streams count what they drop; a sender that broke is a problem."""
        if not self._sender.broken:
            return ()
        return (Problem(self._device, self._now(), "the streams' sender has ended by an error"),)


class StreamServer:
    """One stream's address."""

    def __init__(self, sink: StreamSink, form: str, port: int) -> None:
        self._sink, self._form, self._port = sink, form, port

    async def start(self) -> str:
        """Bind. Returns `tcp://host:port`. Raises AddressTaken."""
        return self._sink.bind(self._form, self._port)

    async def stop(self) -> None:
        """Close both streams: they end together."""
        await asyncio.to_thread(self._sink.close)

    def problems(self) -> Sequence[Problem]:
        """Told once, by the first stream."""
        return self._sink.problems() if self._form == "legacy" else ()
