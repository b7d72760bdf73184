"""The `[sim]` table of a bench file: the clock, the devices, faults by time."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
    model_validator,
)

from sim.kernel.device import DeviceKind
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


def _member_of(value: Any) -> str | None:
    """Which member of the union a device table is: a real device has an address."""
    if not isinstance(value, dict):
        return getattr(value, "kind", None)
    if "address" in value:
        return "(real device)"
    kind = value.get("kind")
    return kind if isinstance(kind, str) else None


def installed_kinds() -> dict[str, DeviceKind]:
    """Every device kind that an installed package offers, by name."""
    return {point.name: point.load() for point in entry_points(group="stellwerk.devices")}


def _device_union() -> Any:
    members: list[Any] = [Annotated[RealDevice, Tag("(real device)")]]
    for name, kind in sorted(installed_kinds().items()):
        model = create_model(
            f"{kind.config.__name__}Entry",
            __base__=kind.config,
            __doc__=kind.about,
            kind=(Literal[name], ...),  # type: ignore[arg-type]  # a literal made at run time
        )
        members.append(Annotated[model, Tag(name)])
    union: Any = members[0]
    for member in members[1:]:
        union = union | member
    return Annotated[union, Discriminator(_member_of)]


if TYPE_CHECKING:
    Device = Any
else:
    Device = _device_union()


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
            kinds = installed_kinds()
            devices = {
                name: (kinds[table.kind], table)
                for name, table in self.devices.items()
                if not isinstance(table, RealDevice)
            }
            mistakes = [*mistakes_of(self.faults, devices, self.devices.keys() - devices.keys())]
            if mistakes:
                raise ValidationError.from_exception_data("SimTable", mistakes)
        return self
