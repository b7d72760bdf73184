"""Values as annotations want them, by pydantic: apart, because it takes a tenth of a second to get ready.

The launcher has it ready before it forks (`scheduler.runner.ARGUMENTS`), and what only reads plans does without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

_PLAIN: Final[Mapping[Any, TypeAdapter[Any]]] = {kind: TypeAdapter(kind) for kind in (str, int, float, bool)}
"""What most parameters are. The first adapter in a process looks through everything that is installed, for plugins."""


class Unfit(ValueError):
    """A value is not, and cannot be made, what an annotation says; the message is why."""


def converted(hint: Any, value: Any) -> Any:
    """*value* as *hint* wants it: a text of an ini file becomes a number. Raises Unfit."""
    adapter = _PLAIN.get(hint) if isinstance(hint, type) else None
    try:
        return (adapter or TypeAdapter(hint)).validate_python(value)
    except ValidationError as error:
        raise Unfit(error.errors()[0]["msg"]) from None
