"""The parts of a run's pages: which there are, when each is made anew, and from what."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, get_args
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader

from scheduler.state import RunStatus, TaskStatus
from scheduler.verdict import Verdict
from scheduler.web import headline as heads
from scheduler.web import log_tail, schedule, text, trends, values
from scheduler.web.history import in_turn
from scheduler.web.room import Part, Room

ViewName = Literal["schedule", "values", "trends", "log", "task"]
VIEWS: Final[tuple[ViewName, ...]] = get_args(ViewName)
RESULT_FILES: Final = ("report.html", "report.pdf", "record.json")
NOW_LINES: Final = 12
NOTICES_SHOWN: Final = 8
VALUES_SHOWN: Final = 200
CLOCKS_AGREE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class View:
    """A page of a run as somebody looks at it."""

    name: ViewName
    query: tuple[tuple[str, str], ...] = ()
    task: str = ""
    logged_in: bool = False

    @classmethod
    def read(cls, name: str, query: Mapping[str, str], *, task: str = "", logged_in: bool = False) -> View:
        """From an address; long texts are cut."""
        known: ViewName = next((v for v in VIEWS if v == name), "schedule")
        pairs = sorted((key[:20], value[:200]) for key, value in query.items())[:20]
        return cls(known, tuple(pairs), task[:80], logged_in)

    @property
    def asked(self) -> str:
        """What tells it from other views, as the query of an address."""
        return urlencode([*self.query, ("view", self.name), ("task", self.task)])


class Painter:
    """Makes pages and their parts."""

    def __init__(self) -> None:
        self._pages = Environment(
            loader=PackageLoader("scheduler.web"),
            autoescape=True,
            finalize=text.printable,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters |= {
            "duration": text.duration,
            "figure": text.figure,
            "about": text.about,
            "day": lambda at: text.time_of_day(at, time.time()),
            "bullet": values.bullet,
            "quote": partial(quote, safe=""),
        }
        self._pages.globals |= {"MARKS": text.MARKS, "Verdict": Verdict}

    def page(self, template: str, **told: Any) -> str:
        """A whole page."""
        return self._pages.get_template(template).render(**told)

    def parts(self, room: Room, view: View, now_s: float | None = None) -> list[Part]:
        """The parts of a run's page as it is now. The room must be one's own."""
        return list(self._parts(room, view, time.time() if now_s is None else now_s))

    def _parts(self, room: Room, view: View, now_s: float) -> Iterator[Part]:
        state, base = room.state, (room.state.seq, room.alive)
        told = room.live.at if room.live is not None else 0.0
        tick = int(now_s) if room.alive else 0
        files = tuple(name for name in RESULT_FILES if (room.run_dir / name).is_file())
        version = (*base, told, tick, files)
        head = room.once(
            "head",
            version,
            lambda: heads.headline(state, room.left(now_s), room.live, now_s, alive=room.alive),
        )
        yield Part.of("title", head.title)
        yield Part.of("said", head.said)
        yield self._part(room, "head", "", version, lambda: {"head": head, "files": files})
        yield self._part(
            room,
            "question",
            str(view.logged_in),
            base,
            lambda: {"asked": heads.asking(state, now_s, alive=room.alive), "view": view, "run": state.run},
        )
        if view.name == "schedule":
            yield self._part(room, "now", "", (*base, told, tick), lambda: self._now(room, now_s))
        yield from self._main_part(room, view, now_s)
        yield self._part(
            room,
            "steer",
            str(view.logged_in),
            (room.alive, state.status),
            lambda: {
                "run": state.run,
                "view": view,
                "paused": state.status is RunStatus.PAUSED,
                "can": room.alive and state.status is not RunStatus.FINISHED,
            },
        )

    def _main_part(self, room: Room, view: View, now_s: float) -> Iterator[Part]:
        query, state = dict(view.query), room.state
        base = (state.seq, room.alive)
        match view.name:
            case "schedule":
                yield self._part(room, "notices", "", base, lambda: self._notices(room, now_s))
                asked = schedule.Asked.read(query)
                minute = int(now_s // 30) if room.alive else 0
                yield self._part(
                    room,
                    "schedule",
                    view.asked,
                    (*base, minute),
                    lambda: {
                        "run": state.run,
                        "list": schedule.listing(state, room.left(now_s), room.sheet, now_s, asked),
                    },
                )
            case "values":
                yield self._part(room, "values", view.asked, room.sheet.version, lambda: _values(room, query))
            case "trends":
                room.trends.read()
                version = (room.trends.version, len(room.starts))
                yield self._part(room, "trends", view.asked, version, lambda: _trends(room, query, now_s))
            case "log":
                name = _log_name(room, query)
                grown = (name, log_tail.stamp(room.run_dir, name))
                yield self._part(room, "log", view.asked, grown, lambda: _log(room, name))
            case "task":
                logged = str(view.logged_in)
                yield self._part(
                    room, "task", view.task + logged, base, lambda: self._task(room, view, now_s)
                )

    def _part(self, room: Room, name: str, asked: str, version: object, told: Any) -> Part:
        template = self._pages.get_template(f"part_{name}.html")
        return room.part(name, asked, version, lambda: template.render(**told()))

    def _now(self, room: Room, now_s: float) -> dict[str, Any]:
        lives = [] if room.live is None else [room.live]
        tasks = heads.running(room.state, room.left(now_s), lives, now_s, alive=room.alive)
        logs = {task.id: log_tail.tail(room.run_dir, f"{task.id}.log", NOW_LINES) for task in tasks[:4]}
        return {"run": room.state.run, "tasks": tasks, "logs": logs}

    def _notices(self, room: Room, now_s: float) -> dict[str, Any]:
        shown = list(room.notices)[: -NOTICES_SHOWN - 1 : -1]
        return {
            "notices": [(notice, text.time_of_day(notice.at, now_s)) for notice in shown],
            "more": len(room.notices) - len(shown),
        }

    def _task(self, room: Room, view: View, now_s: float) -> dict[str, Any]:
        state = room.state
        task = state.tasks.get(view.task)
        if task is None:
            return {"task": None, "id": text.harmless(view.task, 80)}
        pending = [t.task for t in state.tasks.values() if t.status is TaskStatus.PENDING and t is not task]
        return {
            "task": task,
            "row": schedule.row_of(state, view.task, room.left(now_s), room.sheet, now_s),
            "run": state.run,
            "view": view,
            "title": text.harmless(task.task.title, 200),
            "arguments": _shown_arguments(task.task.arguments, task.task.positional),
            "trace": [text.harmless(line, 300) for line in task.traceback[-20_000:].splitlines()[-60:]],
            "values": sorted(room.sheet.of_task(task.task.id), key=_failed_first)[:VALUES_SHOWN],
            "pending": [(other.id, text.harmless(other.title, 60)) for other in pending],
            "can": room.alive and task.status is TaskStatus.PENDING,
            "log": log_tail.stamp(room.run_dir, f"{task.task.id}.log")[0] > 0,
        }


def _shown_arguments(arguments: Mapping[str, Any], positional: Any) -> list[tuple[str, str]]:
    pairs = [*((str(n), value) for n, value in enumerate(positional, start=1)), *arguments.items()]
    return [(text.harmless(name, 60), text.harmless(str(value), 200)) for name, value in pairs[:40]]


def _failed_first(value: values.Value) -> bool:
    return value.verdict is not Verdict.FAIL


def _values(room: Room, query: Mapping[str, str]) -> dict[str, Any]:
    latest = room.sheet.latest()
    wanted = {key: query.get(key, "") for key in ("device", "part", "name")}
    key = (wanted["device"], wanted["part"], wanted["name"])
    # Where there are grids, they show every value; the list is then of what is wrong, or of what was asked for.
    grids = values.grids(latest)
    chosen = bool(wanted["device"] or wanted["name"] or "list" in query)
    only = query.get("only") == "outside" or (bool(grids) and not chosen)
    rows = [
        value
        for value in latest
        if (not only or value.verdict is Verdict.FAIL)
        and (not wanted["device"] or value.device == wanted["device"])
        and (not wanted["name"] or value.name == wanted["name"])
    ]
    rows.sort(key=_failed_first)
    takes = room.sheet.takes(key)
    return {
        "run": room.state.run,
        "grids": grids,
        "before": {
            v.key for v in latest if v.verdict is not Verdict.FAIL and room.sheet.failed_before(v.key)
        },
        "devices": sorted({value.device for value in latest} - {""}, key=values.natural),
        "names": sorted({value.name for value in latest}, key=values.natural),
        "total": len(latest),
        "outside": sum(value.verdict is Verdict.FAIL for value in latest),
        "rows": rows[:VALUES_SHOWN],
        "more": len(rows) - len(rows[:VALUES_SHOWN]),
        "wanted": wanted,
        "only": only,
        "takes": takes[-50:],
        "chart": in_turn(wanted["name"], [("", value) for value in takes[-200:]]) if len(takes) > 2 else None,
        "key": key,
    }


def _trends(room: Room, query: Mapping[str, str], now_s: float) -> dict[str, Any]:
    wanted = trends.Wanted.read(query)
    state = room.state
    offset = None
    # When a bench was put back, or stood still for a while, its clock no longer tells the time of day.
    agree = [at - clock_s for at, clock_s in room.starts]
    if room.left(now_s).pace == 1.0 and agree and max(agree) - min(agree) < CLOCKS_AGREE_S:
        offset = (state.updated_at or 0.0) - state.sim_ns / 1e9
    drawn = trends.pictures(room.trends, room.starts, wanted, offset, lambda at: text.time_of_day(at, now_s))
    return {"run": state.run, "drawn": drawn, "wanted": wanted, "ranges": trends.RANGES}


def _log_name(room: Room, query: Mapping[str, str]) -> str:
    if query.get("of"):
        return f"{query['of'][:80]}.log"
    running = heads.in_turn_first(room.state)
    if running and room.alive:
        return f"{running[0].task.id}.log"
    return next(iter(log_tail.names(room.run_dir)), "")


def _log(room: Room, name: str) -> dict[str, Any]:
    there = [known.removesuffix(".log") for known in log_tail.names(room.run_dir)]
    return {
        "run": room.state.run,
        "tail": log_tail.tail(room.run_dir, name),
        "names": there[:300],
        "all": len(there),
    }
