"""Measurements and their verdicts: declared with name, unit and meaning, judged against a limit set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fat.limits import Limit
from scheduler import Verdict


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured, declared before it is taken."""

    name: str
    unit: str
    """`1` for plain numbers."""
    about: str
    """One phrase for the report."""
    device: str = ""
    """Serial number of what was measured; empty where the bench has one device under test."""
    part: str = ""
    """Which part of it, such as `UpperPmt`."""
    temperature_c: float | None = None
    """Of the surroundings while it was measured, °C."""

    def taken(self, value: float, limits: Mapping[str, Limit]) -> Measured:
        """The measured value with its verdict: UNSET without a limit; what is no finite number never passes."""
        return self.judged(value, limits.get(self.name))

    def judged(self, value: float, limit: Limit | None) -> Measured:
        """The measured value with its verdict against one limit."""
        if not math.isfinite(value):
            return Measured(self, None, limit, Verdict.FAIL)
        if limit is None:
            return Measured(self, value, None, Verdict.UNSET)
        return Measured(self, value, limit, Verdict.PASS if limit.holds(value) else Verdict.FAIL)


@dataclass(frozen=True, slots=True)
class Measured:
    """A value, its limit and its verdict."""

    what: Measurement
    value: float | None
    """None when it is no finite number."""
    limit: Limit | None
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """For the journal. Six significant digits: the rest is below every uncertainty."""
        what = self.what
        value = None if self.value is None else float(f"{self.value:.6g}")
        limit = None if self.limit is None else {k: v for k, v in asdict(self.limit).items() if v != ""}
        body = {
            "name": what.name,
            "value": value,
            "unit": what.unit,
            "about": what.about,
            "limit": limit,
            "verdict": str(self.verdict),
        }
        where = {"device": what.device, "part": what.part, "temperature_c": what.temperature_c}
        return body | {key: told for key, told in where.items() if told not in ("", None)}


def verdict_of(measured: Iterable[Measured]) -> Verdict:
    """FAIL when any failed, else PASS."""
    return Verdict.FAIL if any(m.verdict is Verdict.FAIL for m in measured) else Verdict.PASS
