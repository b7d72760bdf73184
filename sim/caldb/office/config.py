"""The back office's table in the bench file."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sim.caldb.office.passwords import is_hash

Role: TypeAlias = Literal["read", "edit"]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,59}$"


class UserTable(BaseModel):
    """A person who may log in, by the bench file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: str = Field(pattern=NAME_PATTERN)
    role: Role = "read"
    password_hash: str
    """What `stellwerk caldb user hash` prints: a bench file is shared, so it holds no password."""

    @field_validator("password_hash")
    @classmethod
    def _is_hash(cls, text: str) -> str:
        if not is_hash(text):
            raise ValueError("is no hash; `stellwerk caldb user hash` prints one for a password")
        return text


class OfficeTable(BaseModel):
    """The catalogue's back office: its address, its sessions, and who may log in."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """0: a free one."""
    session_idle_s: int = Field(default=1800, ge=10)
    """A session ends when nothing was asked for so long."""
    session_longest_s: int = Field(default=43_200, ge=10)
    """A session ends after so long in any case."""
    users: list[UserTable] = Field(default_factory=list)
    """Beside those of the store. When there are none at all, `bench` gets a password that `up` prints."""
