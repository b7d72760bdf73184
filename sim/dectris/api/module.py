"""What all modules of the REST interface have in common: configuration, status, commands by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.responses import Response

from sim.dectris.api.call import Call
from sim.dectris.configuration import Settings
from sim.dectris.keys import Registry, Value
from sim.dectris.refusal import Refused, unknown

TASKS = ["command", "config", "status"]


class Module(ABC):
    """One module. Answers are JSON values, or whole responses where they are something else."""

    name: ClassVar[str]

    def __init__(self, config: Registry, status: Registry) -> None:
        self.config, self.status = config, status

    @abstractmethod
    def present(self) -> Mapping[str, Value]:
        """Status values as they are now."""

    @abstractmethod
    def commands(self, version: str) -> Mapping[str, bool]:
        """Commands by name, and whether `command/keys` lists them."""

    @abstractmethod
    async def command(self, name: str, argument: object, call: Call) -> Any:
        """Carry out a command. Raises Refused."""

    @abstractmethod
    async def configure(self, call: Call) -> Any:
        """Write what the call's body says. Raises Refused."""

    async def get(self, call: Call) -> Any:
        """Answer a GET or HEAD. Raises Refused."""
        if call.task == "keys" and not call.key:
            return TASKS
        if call.task == "command" and call.key == "keys":
            return sorted(name for name, listed in self.commands(call.version).items() if listed)
        if call.task == "config":
            return await self.get_config(call)
        if call.task == "status":
            self.status.update(self.present())
            return described(self.status, call)
        raise unknown(call.path)

    async def get_config(self, call: Call) -> Any:
        """Answer a GET of a configuration key, of their names, or of all of them. Raises Refused."""
        return described(self.config, call)

    async def put(self, call: Call) -> Any:
        """Answer a PUT. Raises Refused."""
        if call.task == "config":
            return await self.configure(call)
        if call.task == "status":
            self.status.key(call.key, call.version)
            raise Refused(403, f"{call.key} is a status key: it is read-only")
        if call.task != "command" or call.key not in self.commands(call.version):
            raise unknown(call.path)
        if not self.commands(call.version)[call.key]:
            call.remarks.append(f"command {call.key} is undocumented")
        fields = await call.fields()
        return await self.command(call.key, (fields or {}).get("value"), call)

    async def delete(self, call: Call) -> Response:
        """Answer a DELETE. Raises Refused."""
        raise Refused(405, f"DELETE is not possible on {call.path}")


class SettingsModule(Module):
    """A module whose keys have no couplings."""

    def __init__(self, settings: Settings, status: Registry) -> None:
        super().__init__(settings.registry, status)
        self.settings = settings

    several: ClassVar[bool] = False
    """Whether `PUT config` takes several keys at once (documented for stream and filewriter)."""

    async def configure(self, call: Call) -> list[str]:
        """Write one key, or several."""
        if call.key:
            values = {self.config.key(call.key, call.version).name: await call.value()}
        elif self.several:
            values = _several(await call.fields(), call)
        else:
            raise unknown(call.path)
        self.check(values)
        changed = self.settings.write(values)
        self.configured(call)
        return changed

    def check(self, values: Mapping[str, object]) -> None:
        """Raise Refused where the unit's state does not allow these writes."""

    def configured(self, call: Call) -> None:
        """Act on what was written."""


def described(registry: Registry, call: Call) -> Any:
    """The names of the keys, all of them, or one. Raises Refused (404)."""
    if call.key == "keys":
        return registry.listed(call.version)
    if not call.key:
        return {name: registry.describe(name, call.version) for name in registry.listed(call.version)}
    answer = registry.describe(call.key, call.version)
    if not registry.key(call.key).listed:
        call.remarks.append(f"{call.task} key {call.key} is not named by keys")
    return answer


def _several(fields: dict[str, Any] | None, call: Call) -> dict[str, object]:
    if not fields:
        raise Refused(400, f"the body of {call.path} names no keys")
    for name, item in fields.items():
        if not isinstance(item, dict) or "value" not in item:
            raise Refused(400, f'{name[:40]} in the body of {call.path} must be an object with a "value"')
    return {name: item["value"] for name, item in fields.items()}


def no_argument(name: str, argument: object) -> None:
    """Raise Refused (400) when a command that takes no value is given one."""
    if argument is not None:
        raise Refused(400, f"command {name} takes no value")


def iso_time(unix_ns: int) -> str:
    """ISO 8601 with milliseconds and offset, as the reference's examples have it."""
    return datetime.fromtimestamp(unix_ns / 1e9, UTC).isoformat(timespec="milliseconds")
