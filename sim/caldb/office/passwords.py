"""Passwords: kept as scrypt hashes with a salt for each, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

LOG2_N: Final = 15
R: Final = 8
P: Final = 3
"""One of the parameter sets that OWASP's password storage cheat sheet recommends: 32 MiB, three times."""
MEMORY: Final = 64 << 20
SALT_BYTES: Final = 16
KEY_BYTES: Final = 32
SHORTEST: Final = 10
LONGEST: Final = 256

NO_PASSWORD: Final = f"scrypt:{LOG2_N}:{R}:{P}:{'A' * 22}==:{'A' * 43}="
"""A hash that no password has; comparing with it takes as long as with any other."""
_HASH: Final = re.compile(r"scrypt:15:8:3:([A-Za-z0-9_-]{22}==):([A-Za-z0-9_-]{43}=)")


class PasswordRefused(ValueError):
    """A password that must not be set; the sentence says why."""


def check_new(password: str) -> None:
    """Raises PasswordRefused for one that is too short or too long."""
    if len(password) < SHORTEST:
        raise PasswordRefused(f"the password is shorter than {SHORTEST} characters")
    if len(password) > LONGEST:
        raise PasswordRefused(f"the password is longer than {LONGEST} characters")


def generated() -> str:
    """A password with 120 random bits."""
    return secrets.token_urlsafe(15)


def hashed(password: str) -> str:
    """`scrypt:15:8:3:SALT:KEY`; takes about a quarter of a second on purpose."""
    salt = secrets.token_bytes(SALT_BYTES)
    key = _derive(password, salt)
    return f"scrypt:{LOG2_N}:{R}:{P}:{_text(salt)}:{_text(key)}"


def unfitting() -> str:
    """A hash of its own that no password is known to have; costs nothing to make."""
    salt, key = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(KEY_BYTES)
    return f"scrypt:{LOG2_N}:{R}:{P}:{_text(salt)}:{_text(key)}"


def is_hash(text: str) -> bool:
    """Whether *text* has the form that `hashed` gives."""
    return _HASH.fullmatch(text) is not None


def fits(password: str, stored: str) -> bool:
    """Whether a password is the one that a hash was made of."""
    found = _HASH.fullmatch(stored)
    if found is None or len(password) > LONGEST:
        return False
    salt, key = (base64.urlsafe_b64decode(part) for part in found.groups())
    return hmac.compare_digest(_derive(password, salt), key)


def _derive(password: str, salt: bytes) -> bytes:
    raw = password.encode("utf-8", errors="surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=1 << LOG2_N, r=R, p=P, maxmem=MEMORY, dklen=KEY_BYTES)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
