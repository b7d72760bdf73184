"""One series as it is planned at arm: how many images, how long each, and what the series is called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Protocol

from sim.dectris.keys import Value
from sim.dectris.refusal import Refused
from sim.kernel import NS_PER_MS, NS_PER_S

WEEK_NS: Final = 7 * 24 * 3600 * NS_PER_S
"""A triggered series may last so long (SIMPLON API reference 1.8)."""
MAX_IMAGES: Final = 1 << 48
"""nimages × ntrigger (firmware release 2022.1.2)."""
SOFTWARE: Final = frozenset({"ints", "inte"})
"""Trigger modes whose triggers come by REST."""
SINGLE: Final = frozenset({"inte", "exte"})
"""Trigger modes with one image for each trigger, exposed as long as the trigger says."""
GATE_READOUT_NS: Final = 2 * NS_PER_MS
"""extg: about how long the readout of the gated counters takes (SIMPLON API reference 1.8)."""
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Values(Protocol):
    """Values of the detector's configuration by key."""

    def __contains__(self, name: str) -> bool: ...
    def __getitem__(self, name: str) -> Value: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What an armed series will do. Times in ns."""

    mode: str
    """ints, inte, exts, exte, extg or eies."""
    nimages: int
    ntrigger: int
    count_ns: int
    frame_ns: int
    delay_ns: int
    """From a trigger to the start of its first image; not in the modes whose triggers tell the exposure."""
    nexpi: int = 1
    """extg: gates of an image."""
    skipped: int = 0
    """Electrical triggers at the beginning that are not used."""
    double: bool = False
    """extg: two counters, so that each exposure gives an even and an odd image."""

    @property
    def dead_ns(self) -> int:
        """From the end of one exposure to the earliest beginning of the next."""
        return max(self.frame_ns - self.count_ns, 0)

    @property
    def per_trigger(self) -> int:
        """Images of one trigger."""
        return 1 if self.mode in SINGLE else self.nimages

    @property
    def expected(self) -> int:
        """Images of the series. extg counts images, whatever ntrigger says."""
        return self.nimages if self.mode == "extg" else self.per_trigger * self.ntrigger

    @property
    def cycle_ns(self) -> int:
        """How soon after a trigger the next one can be taken, when the trigger does not tell the exposure."""
        if self.mode == "extg":
            return self.frame_ns
        return self.delay_ns + self.per_trigger * max(self.frame_ns, 1)


def planned(values: Values) -> Plan:
    """The series that an arm with this configuration makes. Raises Refused (400)."""
    mode = _text(values, "trigger_mode")
    nimages, ntrigger = _count(values, "nimages"), _count(values, "ntrigger")
    if mode in SINGLE and nimages != 1:
        raise Refused(400, f"nimages must be 1 in trigger_mode {mode}, not {nimages}; use ntrigger")
    delayed = mode in ("ints", "exts", "eies")
    gated = mode == "extg"
    plan = Plan(
        mode=mode,
        nimages=nimages,
        ntrigger=ntrigger,
        count_ns=_ns(values, "count_time"),
        frame_ns=_ns(values, "frame_time"),
        delay_ns=_ns(values, "trigger_start_delay") if delayed else 0,
        nexpi=_count(values, "nexpi") if gated and "nexpi" in values else 1,
        skipped=_count(values, "ntriggers_skipped") if "ntriggers_skipped" in values else 0,
        double=gated and "extg_mode" in values and values["extg_mode"] == "double",
    )
    if plan.expected > MAX_IMAGES:
        raise Refused(400, f"the series would have {plan.expected} images; at most 2^48 are possible")
    if plan.expected * plan.frame_ns > WEEK_NS:
        raise Refused(
            400, "the series would last longer than one week; lower nimages, ntrigger or frame_time"
        )
    return plan


def _count(values: Values, name: str) -> int:
    value = values[name]
    assert isinstance(value, int), f"{name} is no integer"
    return value


def _text(values: Values, name: str) -> str:
    value = values[name]
    assert isinstance(value, str), f"{name} is no text"
    return value


def _ns(values: Values, name: str) -> int:
    value = values[name]
    assert isinstance(value, int | float), f"{name} is no number"
    return round(value * NS_PER_S)


def unique_id(seed: int, serial: str, number: int, unix_ns: int) -> str:
    """A ULID of 26 characters: the time in ms, then bits that seed, serial number and series determine."""
    digest = hashlib.sha256(f"{seed}/{serial}/{number}".encode()).digest()
    bits = (unix_ns // NS_PER_MS) << 80 | int.from_bytes(digest[:10], "big")
    return "".join(_CROCKFORD[bits >> shift & 31] for shift in range(125, -1, -5))
