"""Secrets taken out of what a transcript shows of HTTP."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = rb"\1***"
_WHOLE_LINES: Final = re.compile(
    rb"(?im)^((?:proxy-)?authorization[ \t]*:[ \t]*(?:basic|bearer)?[ \t]*)[^\r\n]*"
)
_FORM: Final = re.compile(rb"(?i)((?:client_secret|access_token)=)[^&\s]*")
_JSON: Final = re.compile(rb'(?i)("(?:client_secret|access_token|refresh_token)"\s*:\s*")[^"]*')
_KEYS: Final = (b"authorization", b"client_secret", b"access_token", b"refresh_token")
MOST_HELD_BYTES: Final = 64 << 10
"""A line that grows beyond this is shown as a mask only."""


def redacted(data: bytes) -> bytes:
    """The bytes without credentials and tokens. What they belong to stays readable."""
    for pattern in (_WHOLE_LINES, _FORM, _JSON):
        data = pattern.sub(MASK, data)
    return data


class Redactor:
    """Redacts a stream that comes in pieces: a secret may be cut anywhere, so its line is held until it is whole."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown now."""
        lines, newline, tail = (self._held + data).rpartition(b"\n")
        self._held = b""
        if _may_hold_a_secret(tail):
            self._held, tail = tail, b""
            if len(self._held) > MOST_HELD_BYTES:
                self._held, tail = b"", b"***"
        return redacted(lines + newline + tail)

    def flush(self) -> bytes:
        """What was held, now that the message is whole."""
        held, self._held = self._held, b""
        return redacted(held)


def _may_hold_a_secret(tail: bytes) -> bool:
    tail = tail.lower()
    if any(key in tail for key in _KEYS):
        return True
    return any(tail.endswith(key[:length]) for key in _KEYS for length in range(1, len(key)))
