"""Users of the logbook. Anybody at the bench may make one; a password shows that an entry is by whom it says.

Only scrypt hashes are kept, each with a salt of its own, in a file that only its owner may read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Any, Final

from fat.degg.records.locked_json import locked, read_json
from fat.errors import UsageError
from fat.files import write_json_atomically

NAME: Final = "users.json"
LEAST_PASSWORD: Final = 8
_USER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_COST: Final = {"n": 1 << 14, "r": 8, "p": 1}
_UNKNOWN: Final = {"salt": "00" * 16, "hash": "00" * 64}


class Users:
    """The users in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def names(self) -> list[str]:
        """All of them."""
        return sorted(self._read())

    def add(self, name: str, password: str) -> None:
        """Make a user. Raises UsageError for a name that is taken or none, and for a short password."""
        if not _USER.fullmatch(name):
            raise UsageError(
                f"a user's name is a letter, then letters, digits, '_', '.' or '-', not {name!r}"
            )
        if len(password) < LEAST_PASSWORD:
            raise UsageError(f"a password has {LEAST_PASSWORD} characters or more")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._path):
            users = self._read()
            if name in users:
                raise UsageError(f"there is a user {name!r}; choose another name")
            salt = secrets.token_bytes(16)
            users[name] = {"salt": salt.hex(), "hash": _hash(password, salt).hex()}
            write_json_atomically(self._path, users, mode=0o600)

    def demand(self, name: str, password: str) -> None:
        """Raise UsageError unless that is the user's password. Takes as long for users that there are not."""
        user = self._read().get(name, _UNKNOWN)
        right = hmac.compare_digest(_hash(password, bytes.fromhex(user["salt"])), bytes.fromhex(user["hash"]))
        if not right:
            raise UsageError(f"the password of {name!r} is wrong, or there is no such user")

    def _read(self) -> dict[str, Any]:
        return read_json(self._path) if self._path.exists() else {}


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)
