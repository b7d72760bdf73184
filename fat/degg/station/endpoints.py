"""Addresses of a laboratory, from the file that `stellwerk up` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fat.errors import UsageError


def read_endpoints(path: Path) -> dict[str, Any]:
    """The addresses of a laboratory, from the file that `stellwerk up` writes. Raises UsageError."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not an endpoints file: {error}") from None
    if not isinstance(body, dict):
        raise UsageError(f"{path}: not an endpoints file: it holds no JSON object")
    return body


def data_folder(endpoints: Mapping[str, Any]) -> Path:
    """The data folder of the bench. Raises UsageError when the file names none."""
    if "data" not in endpoints:
        raise UsageError("the endpoints file names no data folder (`data`)")
    return Path(str(endpoints["data"]))
