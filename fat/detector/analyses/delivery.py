"""What became of trains that were sent, and how long they took. Pure, from counters before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

LOSSES: Final[Mapping[str, str]] = {
    "INCOMPLETE": "datagrams missing",
    "TRUNCATED": "blocks that end early",
    "NO_START": "no first datagram",
    "NO_END": "no last datagram",
}
LATE: Final = "TRAIN_ID_BACKWARD"
"""What a train that comes after its followers is flagged with."""
FOLLOWING: Final = "TRAIN_ID_JUMP"
"""What a train is flagged with whose predecessor did not come: told by that one already."""
FLAWS: Final[Mapping[str, str]] = {
    "DUPLICATES": "datagrams sent twice",
    "REORDERED": "datagrams out of order",
    "BAD_MAGIC": "wrong magic numbers",
    "BAD_COUNT": "wrong numbers of images",
    "BAD_LENGTH": "wrong lengths",
    "BAD_STATUS": "a bad status",
    "BAD_CHECKSUM": "wrong checksums",
    "TRAIN_ID_ZERO": "a train id of zero",
    "TRAIN_ID_REPEATED": "train ids that repeat",
    "PULSES_DIFFER": "other pulses than most modules",
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one module's parts of the trains that were sent."""

    received: float
    """Usable trains over those sent."""
    datagrams_lost: float
    """Datagrams that did not come, over those expected. A train of which nothing came has lost all of its own."""
    late: int
    """Trains that came after their followers."""
    flawed: int
    """Flaws of trains that came."""
    named: tuple[str, ...]
    """What was wrong, in words with numbers."""


def delivery(
    sent: int,
    datagrams_of_train: int,
    received: int,
    datagrams: int,
    flags: Mapping[str, int],
    late: int = 0,
) -> Delivery:
    """Balance one module.

    sent                trains
    datagrams_of_train  how many a whole one has
    received            usable trains
    datagrams           different ones that came
    flags               how often each flag of `pipeline.model.TrainFlag` was found
    late                trains that `behind` found
    """
    expected = max(1, sent * datagrams_of_train)
    words = {**LOSSES, **FLAWS, LATE: "trains late"}
    found = {name: count for name, count in flags.items() if count > 0 and name != FOLLOWING}
    late = max(late, found.get(LATE, 0))
    # Whoever's train ids are wrong makes the next good ones look early or late.
    flawed = sum(count for name, count in found.items() if name in FLAWS)
    jumps = flags.get(FOLLOWING, 0)
    if late:
        found[LATE] = late
    named = [f"{words.get(name, name)}: {count}" for name, count in sorted(found.items())]
    if jumps and received >= sent:
        named.append(f"train ids that jump: {jumps}")
        flawed += jumps
    return Delivery(
        received=received / max(1, sent),
        datagrams_lost=max(0, expected - datagrams) / expected,
        late=late,
        flawed=flawed,
        named=tuple(named),
    )


def taken_in_at(looks: Sequence[tuple[float, Sequence[int]]], trains: int) -> list[float]:
    """When each train was taken in whole, from looks at the modules' counters.

    looks   time, and how many trains of each module had come by then; rising
    trains  how many were sent

    A module that lost some tells of no train which it was: only those count that lost none. Without any, nothing is
    known.
    """
    if not looks:
        return []
    whole = [module for module, count in enumerate(looks[-1][1]) if count >= trains]
    done = [min(counts[module] for module in whole) if whole else 0 for _, counts in looks]
    # Ascending, so that each train is looked for behind the one before.
    return [looks[at][0] for at in np.searchsorted(done, np.arange(1, trains + 1)) if at < len(looks)]


def behind(looks: Sequence[tuple[float, Sequence[int]]], final: Sequence[int]) -> list[int]:
    """Trains of each module that came only after those that follow, by looks at the counters; lost ones do not count.

    looks  time, and how many trains of each module had come by then; rising
    final  how many had come when nothing was left under way

    The module that is ahead is the measure: when it has train k and not yet the next, the others should have k as well.
    A module that is always two trains late is in no wrong order, and is found by this alone. The acquisition holds the
    train after a lost one back until the next confirms its id (decision 26): that many looks are not counted.
    """
    last = {max(counts): counts for _, counts in looks}
    ahead = max(final, default=0)
    found = []
    for module, came in enumerate(final):
        lost = ahead - came
        lagging = sum(train - counts[module] > lost for train, counts in last.items() if train)
        found.append(max(0, lagging - lost))
    return found


@dataclass(frozen=True, slots=True)
class Latency:
    """How long trains or images took, seconds; NaN when none came."""

    p50: float
    p99: float
    worst: float


def latency_of(times_s: Sequence[float]) -> Latency:
    """Percentiles of times; a time below zero, which two clocks' readings can make, counts as zero."""
    if not len(times_s):
        return Latency(float("nan"), float("nan"), float("nan"))
    values: Any = np.maximum(np.asarray(times_s, np.float64), 0)
    return Latency(*(float(np.percentile(values, q)) for q in (50, 99, 100)))
