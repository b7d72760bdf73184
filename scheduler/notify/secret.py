"""Secrets, by reference."""

from __future__ import annotations

import os
from pathlib import Path


def read_secret(variable: str | None, file: Path | None) -> str:
    """What a file holds, or an environment variable. Raises LookupError with a sentence."""
    if file is not None:
        try:
            found = file.expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LookupError(f"{file} cannot be read ({error})") from error
        if not found:
            raise LookupError(f"{file} is empty")
        return found
    if variable is None:
        raise LookupError("neither an environment variable nor a file is named")
    found = os.environ.get(variable, "").strip()
    if not found:
        raise LookupError(f"the environment variable {variable} is not set")
    return found
