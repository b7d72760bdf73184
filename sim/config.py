"""The `[sim]` table of a bench file: the clock, the devices, faults by time."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sim.kernel.installed import find_kind, offered
from sim.scripted import mistakes_of


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ClockTable(_Table):
    """`[sim.clock]`"""

    mode: Literal["wall", "scaled", "manual", "skip"] = "wall"
    """wall: real time. scaled: `speed` times faster, stalls while a participant is busy. manual: a test
    advances it. skip: jumps to the next event as soon as every participant waits."""
    epoch: AwareDatetime | None = None
    """The moment that simulated time zero stands for. Wall mode without it: the moment of `up`."""
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Simulated seconds for each wall second, in scaled mode."""


class FaultTable(_Table):
    """One entry of `[[sim.faults]]`: a fault at a simulated time."""

    at_s: Annotated[float, Field(ge=0)]
    """Simulated seconds after the bench is up."""
    device: str
    fault: str
    on: bool = True
    for_s: Annotated[float, Field(gt=0)] | None = None
    """Switched off again after so many simulated seconds. Not given: it stays on."""
    times: Annotated[int, Field(ge=1)] | None = None
    parameters: dict[str, bool | int | float | str] = {}


class RealDevice(_Table):
    """A device that exists: nothing is started, its address is used."""

    kind: str
    address: str | dict[str, str | list[str]]
    """One address, or addresses by endpoint suffix: `{api = "http://…", stream = "tcp://…"}`."""


REAL: Final = "(real device)"


def _member_of(value: Any) -> str | None:
    """Which member of the union a device table is: a real device has an address."""
    if not isinstance(value, dict):
        return getattr(value, "kind", None)
    if "address" in value:
        return REAL
    kind = value.get("kind")
    return kind if isinstance(kind, str) else None


@cache
def _entry_of(name: str) -> type[BaseModel]:
    """The model of a simulated device's whole table: its kind's, and `kind`."""
    kind = find_kind(name)
    return create_model(
        f"{kind.config.__name__}Entry",
        __base__=kind.config,
        __doc__=kind.about,
        kind=(Literal[name], ...),  # type: ignore[arg-type]  # a literal made at run time
    )


@cache
def _table_among(*kinds: str) -> TypeAdapter[Any]:
    """A real device, or a simulated one of these kinds: a union by `kind`."""
    union: Any = Annotated[RealDevice, Tag(REAL)]
    for name in kinds:
        union = union | Annotated[_entry_of(name), Tag(name)]
    return TypeAdapter(Annotated[union, Discriminator(_member_of)])


class _ByKind:
    """How a device's table is validated: by the model of its own kind alone, so that no other kind is imported.

    An error says what all kinds in one union would: for a kind that is not there, they are asked.
    """

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_ByKind._validated)

    @staticmethod
    def __get_pydantic_json_schema__(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(_table_among(*sorted(offered())).core_schema)

    @staticmethod
    def _validated(value: Any) -> Any:
        member = _member_of(value)
        kinds = [member] if member in offered() else [] if member == REAL else sorted(offered())
        return _table_among(*kinds).validate_python(value)


Device = Annotated[Any, _ByKind]


class SimTable(_Table):
    """`[sim]`"""

    clock: ClockTable = ClockTable()
    devices: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Device] = {}
    """Devices by name; the name is the first part of their endpoint keys. A union by `kind`."""
    faults: list[FaultTable] = []

    @model_validator(mode="after")
    def _faults_can_be_made(self) -> Self:
        """A fault by time must be known before the bench is up: nobody looks when its moment comes."""
        if self.faults:
            devices = {
                name: (find_kind(table.kind), table)
                for name, table in self.devices.items()
                if not isinstance(table, RealDevice)
            }
            mistakes = [*mistakes_of(self.faults, devices, self.devices.keys() - devices.keys())]
            if mistakes:
                raise ValidationError.from_exception_data("SimTable", mistakes)
        return self
