"""The module `detector`.

Source: SIMPLON API reference 1.8, detector commands; ADEiger (which commands it sends to which generation).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from starlette.responses import Response

from sim.dectris.api.arrays import array_json, body_limit, parsed_array, tiff_of
from sim.dectris.api.call import Call
from sim.dectris.api.module import Module, iso_time, no_argument
from sim.dectris.api.ports import Ask, DetectorPort, Resolve
from sim.dectris.configuration import DetectorConfiguration
from sim.dectris.configuration.arrays import TABLE
from sim.dectris.configuration.detector_keys import detector_status
from sim.dectris.keys import Registry, Value
from sim.dectris.models import V16
from sim.dectris.refusal import Refused, unknown

_ALWAYS: Final = ("initialize", "arm", "trigger", "disarm", "cancel", "abort", "check_connection")
_IN_SERIES: Final = ("ready", "acquire")
_TIFF: Final = ("image/tiff", "application/tiff")


class DetectorModule(Module):
    """Keys with couplings, arrays, and the commands of the unit."""

    name: ClassVar[str] = "detector"

    def __init__(
        self, port: DetectorPort, configuration: DetectorConfiguration, ask: Ask, unix_ns: Callable[[], int]
    ) -> None:
        super().__init__(configuration.registry, Registry(detector_status(configuration.model)))
        self._port, self._configuration, self._ask, self._unix_ns = port, configuration, ask, unix_ns
        # One upload at a time: each may hold hundreds of megabytes while it is read.
        self._upload = asyncio.Lock()

    def present(self) -> Mapping[str, Value]:
        """State, time, series and voltage."""
        return {
            "state": str(self._port.state),
            "time": iso_time(self._unix_ns()),
            "series_unique_id": self._port.unique_id,
            "high_voltage/state": self._port.high_voltage,
            "missed_triggers": self._port.missed_triggers,
        }

    def commands(self, version: str) -> Mapping[str, bool]:
        """Those of this model in this version; `wait` is known from ADEiger's source only."""
        known = {**dict.fromkeys(_ALWAYS, True), "check_connections": False, "wait": False}
        if version == V16:
            known["status_update"] = True
        if self._configuration.model.high_voltage:
            known[self._configuration.model.high_voltage] = True
        return known

    async def get_config(self, call: Call) -> Any:
        """As any module's; arrays as objects or TIFF. Before `initialize` there is no configuration."""
        self._check_initialized(call)
        if call.key not in self._configuration.array_names:
            return await super().get_config(call)
        array = self._configuration.read_array(call.key)
        if call.accepts(*_TIFF) and call.key != TABLE:
            return Response(await asyncio.to_thread(tiff_of, array), media_type="image/tiff")
        access = "r" if call.key == TABLE else "rw"
        text = await asyncio.to_thread(array_json, array, call.version, access)
        return Response(text, media_type="application/json")

    async def configure(self, call: Call) -> Any:
        """Write one key or one array; the unit decides whether its state allows that."""
        if call.key in self._configuration.array_names:
            return await self._upload_array(call)
        self.config.key(call.key, call.version)
        value = await call.value()
        return await self._asked(lambda resolve: self._port.configure(call.key, value, resolve))

    async def _upload_array(self, call: Call) -> Any:
        self._check_initialized(call)
        wanted = "<f4" if call.key.endswith("flatfield") else "<u4"
        width, height = self.config.count("x_pixels_in_detector"), self.config.count("y_pixels_in_detector")
        async with self._upload:
            value = await call.value(limit=body_limit(width, height))
            array = await asyncio.to_thread(parsed_array, value, call.version, wanted)
            return await self._asked(lambda resolve: self._port.configure_array(call.key, array, resolve))

    async def delete(self, call: Call) -> Response:
        """Restore the factory's flat field or mask."""
        self._check_initialized(call)
        if call.task != "config" or call.key not in self._configuration.array_names:
            return await super().delete(call)
        await self._asked(lambda resolve: self._port.configure_array(call.key, None, resolve))
        return Response(status_code=204)

    async def command(self, name: str, argument: object, call: Call) -> Any:
        """Hand a command with a sound argument to the unit."""
        name = {"check_connections": "check_connection"}.get(name, name)
        argument = self._argument(name, argument)
        if name == "arm" and self._port.state in _IN_SERIES:
            call.remarks.append("arm while armed: undocumented; the armed series ends first")
        if name == "trigger" and self.config["trigger_mode"] not in ("ints", "inte"):
            call.remarks.append(f"trigger in trigger_mode {self.config['trigger_mode']}")
        return await self._asked(lambda resolve: self._port.command(name, argument, resolve))

    def _argument(self, name: str, argument: object) -> object:
        if argument is None:
            return None
        if name == "trigger":
            if self.config["trigger_mode"] != "inte":
                raise Refused(400, "command trigger takes a value in trigger_mode inte only")
            return self.config.check("count_time", argument)
        if name == "hv_reset":
            sound = isinstance(argument, int | float) and not isinstance(argument, bool)
            if not (sound and isinstance(argument, int | float) and 1 <= argument <= 600):
                raise Refused(400, "command hv_reset takes seconds, 1 to 600")
            return float(argument)
        if name == "hv_enabled":
            if not isinstance(argument, bool):
                raise Refused(400, "command hv_enabled takes true or false")
            return argument
        no_argument(name, argument)
        return None

    def _check_initialized(self, call: Call) -> None:
        if self._port.state in ("na", "initialize"):
            raise unknown(call.key or call.path)

    async def _asked(self, request: Callable[[Resolve], None]) -> Any:
        answer = await self._ask(request)
        if isinstance(answer, Refused):
            raise answer
        return answer
