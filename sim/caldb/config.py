"""The catalogue's table in the bench file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sim.caldb.clients import SecretHash
from sim.caldb.office.config import OfficeTable

ModuleNumber = Annotated[int, Field(ge=0, le=15)]


class DetectorTable(BaseModel):
    """A detector that the catalogue knows from the start, with its modules."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    identifier: str = Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")
    """Name in the control system, e.g. `SPB_DET_AGIPD1M-1`; the part before the first `_` is the instrument."""
    type: Literal["AGIPD-Type", "LPD-Type", "DSSC-Type"] = "AGIPD-Type"
    modules: Annotated[int, Field(ge=1, le=16)] | list[ModuleNumber] = 16
    """How many modules (0 … n-1), or their channel numbers."""
    karabo_id_control: str = ""
    """The control device that carries the operating conditions, e.g. `SPB_IRU_AGIPD1M1`."""

    @field_validator("modules")
    @classmethod
    def _distinct(cls, modules: int | list[int]) -> int | list[int]:
        if isinstance(modules, list) and (not modules or len(set(modules)) != len(modules)):
            raise ValueError("name at least one channel, and each only once")
        return modules

    @property
    def channels(self) -> list[int]:
        """The modules' channel numbers, ascending."""
        return list(range(self.modules)) if isinstance(self.modules, int) else sorted(self.modules)


class ClientTable(BaseModel):
    """An OAuth client that may ask for tokens."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=200, pattern=r"^[^:]+$")
    secret_hash: str
    """As `stellwerk caldb client add` prints it. The secret itself stands nowhere."""

    @field_validator("secret_hash")
    @classmethod
    def _readable(cls, text: str) -> str:
        SecretHash.read(text)
        return text


class CatalogueTable(BaseModel):
    """The calibration catalogue: its address, how it lets clients in, and what it knows from the start."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """0: a free one."""
    database: str = ""
    """Where the rows are: a URL such as `postgresql://user@host/name`; empty: SQLite in the device's folder."""
    require_token: bool = False
    """Whether requests need a bearer token from `oauth/token`. Without, a wrong token is still refused."""
    token_lifetime_s: int = Field(default=7200, ge=1)
    clients: list[ClientTable] = Field(default_factory=list)
    """Who may ask for tokens, besides those registered on the store. With nobody at all, everybody may."""
    remotes: int = Field(default=30, ge=0, le=256)
    """How many access points over ZeroMQ; 0: none."""
    first_remote_port: int = Field(default=0, ge=0, le=65535)
    """Port of the first remote, the others follow it; 0: free ones."""
    detectors: list[DetectorTable] = Field(
        default_factory=lambda: [
            DetectorTable(identifier="SPB_DET_AGIPD1M-1", karabo_id_control="SPB_IRU_AGIPD1M1")
        ]
    )

    office: OfficeTable = Field(default_factory=OfficeTable)
    """The web pages for people."""

    @field_validator("database")
    @classmethod
    def _readable(cls, database: str) -> str:
        if database:
            # Whoever only checks a bench file loads the database library for a URL, and not otherwise.
            from sim.caldb.opening import DatabaseUnknown, read_url

            try:
                read_url(database)
            except DatabaseUnknown as error:
                raise ValueError(str(error)) from None
        return database

    @model_validator(mode="after")
    def _one_of_each_type(self) -> CatalogueTable:
        seen: dict[str, str] = {}
        for detector in self.detectors:
            if detector.type in seen:
                raise ValueError(
                    f"{seen[detector.type]} and {detector.identifier} are both {detector.type}; their modules "
                    "would have the same names, so name one detector of each type"
                )
            seen[detector.type] = detector.identifier
        return self
