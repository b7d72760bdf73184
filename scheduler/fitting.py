"""Values made what annotations say: texts of an ini file become numbers.

The launcher loads this module before it forks: pydantic loads itself only when it is used, and looks for plugins among
all packages that are installed, which together is a tenth of a second of a core in each task process.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError


def fitted(value: Any, hint: Any) -> Any:
    """The value as the annotation wants it. Raises ValueError with a sentence."""
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None


fitted(0, int)  # the first time is the dear one
