"""Why a version is chosen and others are not. Pure functions of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.constants.conditions import Conditions
from pipeline.constants.model import Strategy
from pipeline.constants.registered import Registered, StoredParameter, differences
from pipeline.constants.selection import in_order, may_begin, to_tick


@dataclass(frozen=True, slots=True)
class Question:
    """What constants are asked for."""

    conditions: Conditions
    event_at: datetime
    strategy: Strategy = "prior"
    snapshot_at: datetime | None = None
    """The catalogue as it stood then; None: as it is."""

    def __str__(self) -> str:
        stood = "as it is" if self.snapshot_at is None else f"as it was at {self.snapshot_at.isoformat()}"
        return f"at {self.event_at.isoformat()}, selection {self.strategy}, the catalogue {stood}"


@dataclass(frozen=True, slots=True)
class NotChosen:
    """A version that is not used, and why."""

    version: Registered
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """All versions of one unit and calibration."""

    chosen: Registered | None
    others: tuple[NotChosen, ...]
    """By closeness of their begin to the event."""


def judge(
    versions: Iterable[Registered],
    stored_conditions: Mapping[int, tuple[StoredParameter, ...]],
    question: Question,
) -> Judgement:
    """Choose among the versions of one unit and calibration, and say why the others are not chosen."""
    ordered = in_order(versions, question.event_at)
    reasons: dict[int, list[str]] = {}
    second: set[int] = set()
    for version in ordered:
        stored = stored_conditions.get(version.condition_id)
        wrong, fallback = _condition(version, stored, question.conditions)
        reasons[version.id] = [*_flags(version, question), *wrong, *_times(version, question)]
        if fallback:
            second.add(version.id)
    fitting = [version for version in ordered if not reasons[version.id]]
    first = [version for version in fitting if version.id not in second]
    chosen = next(iter(first or fitting), None)
    for version in fitting:
        if chosen is not None and version.id != chosen.id:
            worse = version.id in second and chosen.id not in second
            reasons[version.id].append(
                "it is under the generic memory-cell order, and there is one for the order asked for"
                if worse
                else _farther(version, chosen, question.event_at)
            )
    others = (NotChosen(v, tuple(reasons[v.id])) for v in ordered if chosen is None or v.id != chosen.id)
    return Judgement(chosen, tuple(others))


def _condition(
    version: Registered, stored: tuple[StoredParameter, ...] | None, conditions: Conditions
) -> tuple[list[str], bool]:
    """What differs, and whether it fits only what is fallen back to."""
    if stored is None:
        return [f"its condition {version.condition_id} was not looked at, or may not be used"], False
    asked = conditions.parameters(version.calibration)
    wrong = differences(asked, stored, conditions.left_out, version.uuid)
    generic = conditions.fallback(version.calibration)
    if wrong and generic is not None and not differences(generic, stored, conditions.left_out, version.uuid):
        return [], True
    return wrong, False


def _flags(version: Registered, question: Question) -> list[str]:
    found = []
    if not version.deployed:
        found.append("it is not deployed")
    if not version.good_quality:
        found.append("it is marked as not of good quality")
    if not version.available:
        found.append("its constant is marked as not available")
    if question.snapshot_at is not None and version.created_at > question.snapshot_at:
        found.append(f"it was registered at {version.created_at.isoformat()}, after the snapshot")
    return found


def _times(version: Registered, question: Question) -> list[str]:
    event = to_tick(question.event_at)
    found = []
    if version.end_validity_at is not None and version.end_validity_at < event:
        found.append(f"its validity ended at {version.end_validity_at.isoformat()}")
    if not may_begin(version.begin_at, event, question.strategy):
        distance = spell_distance(version.begin_at, event)
        found.append(
            f"it begins {distance} the event, and {question.strategy} takes none that does"
            if question.strategy == "prior"
            else f"it begins {distance} the event, and exact takes only what begins at it"
        )
    return found


def _farther(version: Registered, chosen: Registered, event_at: datetime) -> str:
    ours, theirs = (abs(v.begin_at - to_tick(event_at)) for v in (version, chosen))
    if ours > theirs:
        return f"version {chosen.id} is closer to the event by {_span(ours - theirs)}"
    if version.begin_at != chosen.begin_at:
        return f"version {chosen.id} is as close and begins earlier"
    return f"version {chosen.id} begins at the same time and was registered later"


def spell_distance(begin_at: datetime, event_at: datetime) -> str:
    """`3.0 h before`, `2 d after`, `at`: where a begin lies from an event."""
    if begin_at == event_at:
        return "at"
    return f"{_span(abs(begin_at - event_at))} {'before' if begin_at < event_at else 'after'}"


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.3f} s" if seconds < 2 else f"{seconds:.0f} s"
