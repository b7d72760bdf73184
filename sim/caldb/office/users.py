"""Who may log in: users of the store, users of the bench file, or one that lives as long as the bench is up."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import Connection, delete, insert, select, update

from sim.caldb.office.config import Role, UserTable
from sim.caldb.office.passwords import NO_PASSWORD, fits, unfitting
from sim.caldb.office.tables import USERS

GUEST: Final = "bench"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    role: Role
    password: str
    """A hash."""


class Users:
    """Everybody who may log in, the bench file before the store."""

    def __init__(self, tables: Sequence[UserTable]) -> None:
        self._fixed = {t.name: User(t.name, t.role, t.password_hash) for t in tables}
        self._guest: User | None = None
        self._guest_digest = b""

    def let_in(self, password: str) -> str:
        """Make the bench's own user, who is forgotten when the process ends. Returns the name.

        password  a generated one: nobody guesses 120 random bits, however fast its digest is, and every bench that
                  starts would pay for a slow one
        """
        self._guest = self._fixed[GUEST] = User(GUEST, "edit", unfitting())
        self._guest_digest = _digest(password)
        return GUEST

    def anybody(self, db: Connection) -> bool:
        """Whether somebody can log in at all."""
        return bool(self._fixed) or db.execute(select(USERS.c.id).limit(1)).first() is not None

    def find(self, db: Connection, name: str) -> User | None:
        """The user of that name."""
        return self._fixed.get(name) or stored_user(db, name)

    def check(self, user: User | None, password: str) -> bool:
        """Whether this is the user's password; False, after the same time, where there is no user."""
        # A name that does not exist takes as long to refuse: nobody can find out who is known.
        matches = fits(password, NO_PASSWORD if user is None else user.password)
        if user is not None and user is self._guest:
            matches = hmac.compare_digest(_digest(password), self._guest_digest)
        return matches and user is not None


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", errors="surrogatepass")).digest()


def stored_user(db: Connection, name: str) -> User | None:
    """A user of the store."""
    row = db.execute(select(USERS).where(USERS.c.name == name)).mappings().first()
    return None if row is None else User(row["name"], cast(Role, row["role"]), row["password"])


def stored_users(db: Connection) -> list[User]:
    """All users of the store by name."""
    rows = db.execute(select(USERS).order_by(USERS.c.name)).mappings()
    return [User(row["name"], cast(Role, row["role"]), row["password"]) for row in rows]


def set_user(db: Connection, user: User) -> None:
    """Add a user to the store, or give a known one another password and role, which ends their sessions."""
    values = {"role": user.role, "password": user.password}
    if stored_user(db, user.name) is None:
        db.execute(insert(USERS).values(name=user.name, **values))
    else:
        db.execute(update(USERS).where(USERS.c.name == user.name).values(**values))


def remove_user(db: Connection, name: str) -> bool:
    """Take a user out of the store; whether there was one."""
    return db.execute(delete(USERS).where(USERS.c.name == name)).rowcount > 0
