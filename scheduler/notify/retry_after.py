"""The header `Retry-After`, as seconds or as a date (RFC 9110, 10.2.3)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

UNTOLD_S: Final = 1.0
LONGEST_S: Final = 3600.0
"""Whoever asks for more is asked again after an hour."""


def retry_after_s(value: str | None, wall_s: Callable[[], float] = time.time) -> float:
    """How long to wait, seconds; a second when the server said nothing that can be read."""
    try:
        asked_s = UNTOLD_S if value is None else float(value)
    except ValueError:
        try:
            asked_s = parsedate_to_datetime(str(value)).timestamp() - wall_s()
        except ValueError:
            return UNTOLD_S
    return min(max(asked_s, 0.0), LONGEST_S) if math.isfinite(asked_s) else UNTOLD_S
