"""What waits for the sender of the streams: start and end messages, single images, runs of images, pauses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from sim.dectris.sinks import ImageRun
from sim.dectris.stream.legacy import Parts
from sim.dectris.stream.series import SeriesMessages


@dataclass(slots=True)
class Tally:
    """What became of a series' images."""

    sent: int = 0
    dropped: int = 0


@dataclass(slots=True, eq=False)
class Sending:
    """A series on its way out."""

    messages: SeriesMessages
    form: str
    """legacy or cbor."""
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True, eq=False)
class Single:
    """One message, made when it goes out. Counts as `images` images."""

    sending: Sending
    make: Callable[[], Parts]
    images: int = 0
    delay_s: float = 0.0
    """How long nothing goes out before it, on the machine's own clock."""
    ends: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """Images to be sent as they are."""

    sending: Sending
    run: ImageRun


Item = Single | Run


def rest(run: ImageRun, handled: int) -> ImageRun:
    """The run without its first images."""
    return replace(
        run,
        first=run.first + handled,
        count=run.count - handled,
        start_ns=run.start_ns + handled * run.period_ns,
    )


def head(run: ImageRun, count: int) -> ImageRun:
    """The first images of a run."""
    return run if run.count <= count else replace(run, count=count)


def continues(run: ImageRun, next_run: ImageRun) -> bool:
    """Whether both are one run."""
    return (
        next_run.first == run.first + run.count
        and next_run.start_ns == run.start_ns + run.count * run.period_ns
        and (next_run.period_ns, next_run.exposure_ns) == (run.period_ns, run.exposure_ns)
        and next_run.series_date_unix_ns == run.series_date_unix_ns
    )


class Backlog:
    """First in, first out; counts the images in it. The loop's thread puts, the sender's thread takes."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._images = 0
        self._wanted = False
        self._lock = Lock()

    @property
    def images(self) -> int:
        """How many images wait."""
        return self._images

    @property
    def control_messages(self) -> int:
        """How many start and end messages wait."""
        with self._lock:
            return sum(isinstance(item, Single) and not item.images for item in self._items)

    def room(self, count: int, limit: int) -> int:
        """How many of *count* images fit below *limit*; when not all do, the refusal is kept in mind."""
        with self._lock:
            fits = max(0, min(count, limit - self._images))
            self._wanted |= fits < count
            return fits

    def put(self, item: Item) -> None:
        """Append; a run that continues the last one is joined to it."""
        with self._lock:
            self._images += _images_of(item)
            last = self._items[-1] if self._items else None
            joins = isinstance(item, Run) and isinstance(last, Run) and last.sending is item.sending
            if joins and continues(last.run, item.run):  # type: ignore[union-attr]  # joins says that both are runs
                last.run = replace(last.run, count=last.run.count + item.run.count)  # type: ignore[union-attr]
            else:
                self._items.append(item)

    def front(self) -> Item | None:
        """What goes out next; it stays until `advance`."""
        with self._lock:
            return self._items[0] if self._items else None

    def advance(self, item: Item, images: int) -> None:
        """The front item is done, or, of a run, so many images: sent or dropped, as the sender has counted."""
        with self._lock:
            if not self._items or self._items[0] is not item:
                # taken away meanwhile, and counted as dropped then
                item.sending.tally.dropped -= images
                return
            self._images -= images
            if isinstance(item, Run) and images < item.run.count:
                item.run = rest(item.run, images)
            else:
                self._items.popleft()

    def take_refusal(self, limit: int) -> bool:
        """Whether images were refused and there is room again: at least half of *limit*. Forgets the refusal."""
        with self._lock:
            answer = self._wanted and self._images <= limit // 2
            self._wanted &= not answer
            return answer

    def discard_images(self) -> None:
        """Forget images that wait, counted as dropped, and pauses; start and end messages stay."""
        with self._lock:
            for item in self._items:
                item.sending.tally.dropped += _images_of(item)
            self._items = deque(item for item in self._items if isinstance(item, Single) and not item.images)
            self._images = 0
            for item in self._items:
                assert isinstance(item, Single)
                item.delay_s = 0.0

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for item in self._items:
                item.sending.tally.dropped += _images_of(item)
            self._items.clear()
            self._images = 0


def _images_of(item: Item) -> int:
    return item.run.count if isinstance(item, Run) else item.images
