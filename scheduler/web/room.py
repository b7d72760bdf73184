"""One run in the page's memory: folded once, then followed; what several viewers see is made once."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

from scheduler.follow import Follower
from scheduler.journal import JournalRecord, being_written
from scheduler.journal.place import JOURNAL_FILES
from scheduler.live import Progress
from scheduler.schedule.forecast import medians, spans
from scheduler.schedule.remaining import Remaining, remaining
from scheduler.state import EMPTY, RunState
from scheduler.trends import TrendReader
from scheduler.web.summary import Summary, summarise
from scheduler.web.text import harmless
from scheduler.web.values import Sheet

PERIOD_S: Final = 0.25
"""A run's folder is looked at no more often, however many look at its page."""
NOTICES: Final = 100
MOST_TEXT: Final = 600
MEMO: Final = 64
PAID_OFF: Final = 20
LONGEST_S: Final = 10.0
"""No part is older than this for its cost alone."""
LEFT_PERIOD_S: Final = 1.0
"""How often the remaining time is reckoned anew while nothing happens."""
IDLE_S: Final = 60.0
"""A run that nobody has looked at for so long is let go."""
REST_S: Final = 60.0
T = TypeVar("T")
Marks = tuple[tuple[int, int], ...]
"""Size and time of each file of a journal."""
Spans = Mapping[str, Sequence[float]]
"""Lengths of tasks in one run, as `scheduler.schedule.forecast.spans` tells them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should know, from the journal."""

    seq: int
    at: float
    by: str
    severity: str
    text: str


class Room:
    """One run. Not for several threads at once: hold `lock`.

    Its journal is held open while somebody carries the run out, and let go when that has ended.
    """

    def __init__(self, run_dir: Path, earlier: Callable[[str], list[Spans]]) -> None:
        """*earlier* tells the lengths in earlier runs of a plan. Raises RunNotFound, JournalError."""
        self.run_dir = run_dir
        self.lock = threading.Lock()
        self.closed = False
        self.live: Progress | None = None
        self.alive = False
        self.trends = TrendReader(run_dir)
        """Read by who shows it: it may be large."""
        self._earlier = earlier
        self._known: list[Spans] | None = None
        self._looked_s = 0.0
        self._ended: tuple[Marks, float] | None = None
        self._left: tuple[tuple[int, bool, float], float, Remaining] | None = None
        self._made: dict[str, tuple[object, object]] = {}
        self._memo: OrderedDict[tuple[str, str], _Made] = OrderedDict()
        self._begin()

    def _begin(self) -> None:
        self._follower: Follower | None = Follower(self.run_dir)
        self.state: RunState = EMPTY
        self.sheet = Sheet()
        self.notices: deque[Notice] = deque(maxlen=NOTICES)
        self.starts: list[tuple[float, float]] = []
        """When engines took it up: (Unix time, the run's clock), seconds."""

    def look(self) -> None:
        """See what is new, unless somebody has just looked. Raises JournalError."""
        now_s = time.monotonic()
        if self.state is not EMPTY and now_s - self._looked_s < PERIOD_S:
            return
        self._looked_s = now_s
        if self._follower is None:
            if self._rests(now_s):
                return
            self._begin()
        self._read()

    def _read(self) -> None:
        assert self._follower is not None
        look = self._follower.look()
        for record, state in look.news:
            self._take(record, state)
        self.state, self.live, self.alive = look.state, look.live, look.alive
        if not look.alive:
            self._follower.close()
            self._follower = None
            self._ended = _marks(self.run_dir), time.monotonic()

    def _rests(self, now_s: float) -> bool:
        """Whether nothing can have happened since the run ended; a journal elsewhere has no marks here: for a while."""
        if self._ended is None:
            return False
        marks, at_s = self._ended
        return marks == _marks(self.run_dir) and now_s - at_s < REST_S and not being_written(self.run_dir)

    @property
    def idle_s(self) -> float:
        """Seconds since the last look."""
        return time.monotonic() - self._looked_s

    def _take(self, record: JournalRecord, state: RunState) -> None:
        data = record.data
        match record.event:
            case "run_started":
                self.starts.append((record.at, record.sim_ns / 1e9))
            case "task_finished" if data.get("task") in state.tasks:
                self.sheet.take(data["task"], state.tasks[data["task"]].outputs)
            case "notification":
                self._notice(record, data.get("by"), data.get("severity"), data.get("text"))
            case "backup_failed":
                self._notice(record, data.get("task"), "warning", f"no backup: {data.get('error')}")
            case "request_refused":
                self._notice(record, data.get("by"), "message", f"refused: {data.get('why')}")

    def _notice(self, record: JournalRecord, by: object, severity: object, text: object) -> None:
        words = harmless(str(by), 80), harmless(str(severity), 20), harmless(str(text), MOST_TEXT)
        self.notices.append(Notice(record.seq, record.at, *words))

    def left(self, now_s: float) -> Remaining:
        """What is still to come."""
        key = (self.state.seq, self.alive, self.live.at if self.live is not None else 0.0)
        if self._left is None or self._left[0] != key or abs(now_s - self._left[1]) > LEFT_PERIOD_S:
            known = self.once("lengths", self.state.seq, self._lengths)
            self._left = key, now_s, remaining(self.state, known, self.live, now_s)
        return self._left[2]

    def _lengths(self) -> dict[str, float]:
        if self._known is None:
            self._known = self._earlier(self.state.plan.name if self.state.plan is not None else "")
        return medians([*self._known, spans(self.state)])

    def summary(self) -> Summary:
        """The run in a line."""
        return summarise(self.run_dir.name, self.state, self.sheet, alive=self.alive)

    def once(self, name: str, version: object, make: Callable[[], T]) -> T:
        """What *make* gives, made anew when its version is another."""
        known = self._made.get(name)
        if known is None or known[0] != version:
            known = self._made[name] = version, make()
        return cast(T, known[1])

    def part(self, name: str, asked: str, version: object, render: Callable[[], str]) -> Part:
        """A part of a page: rendered anew when its version is another, and its making has been paid off.

        What a part costs, in time of a core, is at most one part in PAID_OFF, unless it costs half a second.
        """
        key = name, asked
        known = self._memo.pop(key, None)
        now_s = time.monotonic()
        if known is None or (known.version != version and now_s >= known.paid_s):
            begun_s = time.thread_time()
            part = Part.of(name, render())
            cost_s = time.thread_time() - begun_s
            known = _Made(version, part, now_s + min(LONGEST_S, PAID_OFF * cost_s))
        self._memo[key] = known
        while len(self._memo) > MEMO:
            self._memo.popitem(last=False)
        return known.part

    def close(self) -> None:
        """Let the journal go."""
        self.closed = True
        if self._follower is not None:
            self._follower.close()


def _marks(run_dir: Path) -> Marks:
    found = []
    for name in JOURNAL_FILES:
        try:
            seen = (run_dir / name).stat()
            found.append((seen.st_size, seen.st_mtime_ns))
        except OSError:
            found.append((-1, -1))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a page, and a digest by which a browser knows whether it has it."""

    name: str
    html: str
    digest: str

    @classmethod
    def of(cls, name: str, html: str) -> Part:
        """With its digest."""
        return cls(name, html, hashlib.blake2s(html.encode(), digest_size=6).hexdigest())


@dataclass(frozen=True, slots=True)
class _Made:
    """A part that was rendered, and until when (monotonic seconds) it stays whatever happens."""

    version: object
    part: Part
    paid_s: float


class Rooms:
    """The rooms of the runs that people look at; the one that nobody saw for longest makes place."""

    def __init__(self, root: Path, earlier: Callable[[Path, str], list[Spans]], most: int = 8) -> None:
        self._root, self._earlier, self._most = root, earlier, most
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def use(self, run: str) -> Iterator[Room]:
        """The room of a run, to oneself, after a look. Raises RunNotFound, JournalError."""
        while True:
            room = self._room(run)
            with room.lock:
                if not room.closed:
                    room.look()
                    yield room
                    return

    def _room(self, run: str) -> Room:
        with self._lock:
            room = self._rooms.pop(run, None) or self._open(run)
            self._rooms[run] = room
            superfluous = [self._rooms.popitem(last=False)[1] for _ in range(len(self._rooms) - self._most)]
        for old in superfluous:
            with old.lock:
                old.close()
        return room

    def tidy(self) -> bool:
        """Let go of the rooms that nobody has looked at for IDLE_S; whether any is left."""
        with self._lock:
            idle = [run for run, room in self._rooms.items() if room.idle_s > IDLE_S]
            gone = [self._rooms.pop(run) for run in idle]
            left = bool(self._rooms)
        for room in gone:
            with room.lock:
                room.close()
        return left

    def _open(self, run: str) -> Room:
        run_dir = self._root / run
        return Room(run_dir, lambda plan: self._earlier(run_dir, plan))
