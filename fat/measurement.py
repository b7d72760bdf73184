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

    def taken(self, value: float, limits: Mapping[str, Limit]) -> Measured:
        """The measured value with its verdict: UNSET without a limit; what is no finite number never passes."""
        limit = limits.get(self.name)
        if not math.isfinite(value):
            return Measured(self.name, None, self.unit, self.about, limit, Verdict.FAIL)
        if limit is None:
            return Measured(self.name, value, self.unit, self.about, None, Verdict.UNSET)
        verdict = Verdict.PASS if limit.holds(value) else Verdict.FAIL
        return Measured(self.name, value, self.unit, self.about, limit, verdict)


@dataclass(frozen=True, slots=True)
class Measured:
    """A value, its limit and its verdict."""

    name: str
    value: float | None
    """None when it is no finite number."""
    unit: str
    about: str
    limit: Limit | None
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """For the journal. Six significant digits: the rest is below every uncertainty."""
        value = None if self.value is None else float(f"{self.value:.6g}")
        return {
            "name": self.name,
            "value": value,
            "unit": self.unit,
            "about": self.about,
            "limit": None if self.limit is None else asdict(self.limit),
            "verdict": str(self.verdict),
        }


def verdict_of(measured: Iterable[Measured]) -> Verdict:
    """FAIL when any failed, else PASS."""
    return Verdict.FAIL if any(m.verdict is Verdict.FAIL for m in measured) else Verdict.PASS
