"""The modules `stream`, `filewriter`, `monitor` and `system`.

Source: SIMPLON API reference 1.6 and 1.8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from starlette.responses import Response

from sim.dectris.api.call import Call
from sim.dectris.api.module import SettingsModule, iso_time, no_argument
from sim.dectris.api.ports import Ask, DetectorPort, FileStore, MonitorStore, StreamPort
from sim.dectris.configuration import FilewriterSettings, MonitorSettings, StreamSettings, SystemSettings
from sim.dectris.configuration.settings import filewriter_status, monitor_status, stream_status
from sim.dectris.keys import Registry, Value
from sim.dectris.refusal import Refused, unknown

SETTLED: Final = ("na", "idle", "error")
"""States of the detector in which the file writer and the monitor can be switched."""
IMAGE_WAIT_MS: Final = 500
"""How long `images/monitor` and `images/next` wait unless they are told otherwise."""
_IMAGE_WAIT_MAX_MS: Final = 120_000


class StreamModule(SettingsModule):
    """Both streams; `format` says which one sends."""

    name: ClassVar[str] = "stream"
    several: ClassVar[bool] = True

    def __init__(self, port: StreamPort, settings: StreamSettings, detector: DetectorPort) -> None:
        super().__init__(settings, Registry(stream_status()))
        self._port, self._detector = port, detector

    def present(self) -> Mapping[str, Value]:
        """State and lost images."""
        return {"state": self._port.state, "dropped": self._port.dropped}

    def commands(self, version: str) -> Mapping[str, bool]:  # noqa: ARG002  # the same in both
        """initialize."""
        return {"initialize": True}

    async def command(self, name: str, argument: object, call: Call) -> Any:  # noqa: ARG002
        """Mode disabled, counters anew."""
        no_argument(name, argument)
        self.settings.initialize()
        self._port.initialize()
        return {}

    def configured(self, call: Call) -> None:
        """What was held for a disabled stream may go out."""
        if self._detector.state not in SETTLED:
            call.remarks.append(f"stream configured in state {self._detector.state}: undocumented")
        self._port.configured()


class FilewriterModule(SettingsModule):
    """The file writer's keys, and the list of its files."""

    name: ClassVar[str] = "filewriter"
    several: ClassVar[bool] = True

    def __init__(
        self,
        store: FileStore,
        settings: FilewriterSettings,
        detector: DetectorPort,
        unix_ns: Callable[[], int],
    ) -> None:
        super().__init__(settings, Registry(filewriter_status()))
        self._store, self._detector, self._unix_ns = store, detector, unix_ns

    def present(self) -> Mapping[str, Value]:
        """State, room, files."""
        return {
            "state": self._store.state,
            "error": list(self._store.error),
            "buffer_free": max(self._store.buffer_free, 0),
            "files": list(self._store.names()),
            "time": iso_time(self._unix_ns()),
        }

    async def get(self, call: Call) -> Any:
        """Besides the rest: `files`."""
        if call.task == "files" and not call.key:
            return list(self._store.names())
        return await super().get(call)

    def check(self, values: Mapping[str, object]) -> None:
        """The mode can be changed between series only."""
        check_settled("filewriter", values, self._detector.state)

    def commands(self, version: str) -> Mapping[str, bool]:  # noqa: ARG002  # the same in both
        """clear and initialize."""
        return {"clear": True, "initialize": True}

    async def command(self, name: str, argument: object, call: Call) -> Any:  # noqa: ARG002
        """Delete all files; initialize: the keys go back to their defaults as well."""
        no_argument(name, argument)
        if name == "initialize":
            self.settings.initialize()
            self._store.initialize()
        else:
            self._store.clear()
        return {}


class MonitorModule(SettingsModule):
    """The monitor's keys and images."""

    name: ClassVar[str] = "monitor"

    def __init__(self, store: MonitorStore, settings: MonitorSettings, detector: DetectorPort) -> None:
        super().__init__(settings, Registry(monitor_status()))
        self._store, self._detector = store, detector

    def present(self) -> Mapping[str, Value]:
        """State, losses, room, and in 1.6.0 the numbers of two images."""
        return {
            "state": self._store.state,
            "dropped": self._store.dropped,
            "buffer_free": max(self._store.buffer_free, 0),
            "buffer_fill_level": list(self._store.fill_level),
            "next_image_number": list(self._store.next_image or (0, 0)),
            "monitor_image_number": list(self._store.newest_image or (0, 0)),
        }

    async def get(self, call: Call) -> Any:
        """Besides the rest: `images`."""
        if call.task != "images":
            return await super().get(call)
        if not call.key:
            return [[series, list(images)] for series, images in self._store.listing()]
        if call.key == "monitor":
            return await self._waited(self._store.newest, call)
        if call.key == "next":
            return await self._waited(self._store.take_next, call)
        image = self._store.get(*_address(call))
        if image is None:
            raise Refused(404, f"there is no image {call.key} in the monitor's buffer")
        return Response(image, media_type="image/tiff")

    async def _waited(self, take: Callable[[], bytes | None], call: Call) -> Response:
        """An image now, or as soon as one comes. Raises Refused (408) when none does."""
        wait_ms = _timeout_ms(call)
        try:
            async with asyncio.timeout(wait_ms / 1000):
                while (image := take()) is None:
                    self._store.arrived.clear()
                    await self._store.arrived.wait()
        except TimeoutError:
            raise Refused(408, f"no image within {wait_ms} ms") from None
        return Response(image, media_type="image/tiff")

    def check(self, values: Mapping[str, object]) -> None:
        """The mode can be changed between series only."""
        check_settled("monitor", values, self._detector.state)

    def configured(self, call: Call) -> None:  # noqa: ARG002
        """The buffer follows at once."""
        self._store.configured()

    def commands(self, version: str) -> Mapping[str, bool]:  # noqa: ARG002  # the same in both
        """clear and initialize."""
        return {"clear": True, "initialize": True}

    async def command(self, name: str, argument: object, call: Call) -> Any:  # noqa: ARG002
        """Empty the buffer; initialize: the keys go back to their defaults as well."""
        no_argument(name, argument)
        if name == "initialize":
            self.settings.initialize()
            self._store.initialize()
        else:
            self._store.clear()
        return {}


class SystemModule(SettingsModule):
    """The computer of the control unit. Its keys change nothing in the simulator."""

    name: ClassVar[str] = "system"

    def __init__(self, settings: SystemSettings, detector: DetectorPort, ask: Ask) -> None:
        super().__init__(settings, Registry([]))
        self._detector, self._ask = detector, ask

    def present(self) -> Mapping[str, Value]:
        """Nothing."""
        return {}

    def commands(self, version: str) -> Mapping[str, bool]:  # noqa: ARG002  # the same in both
        """Those of the reference that a simulator can carry out or refuse."""
        return dict.fromkeys(("create_log_tarball", "delete_logs", "reboot", "restart", "shutdown"), True)

    async def command(self, name: str, argument: object, call: Call) -> Any:  # noqa: ARG002
        """Restart and reboot answer when the unit is back."""
        no_argument(name, argument)
        if name in ("restart", "reboot"):
            answer = await self._ask(self._detector.restart)
            if isinstance(answer, Refused):
                raise answer
            return answer
        if name == "shutdown":
            raise Refused(403, "a simulated control unit is shut down with its bench")
        if name == "create_log_tarball":
            return {"value": "/logs/logs.tar.gz", "value_type": "string"}
        return {}


def check_settled(module: str, values: Mapping[str, object], state: str) -> None:
    """Raise Refused (409) when the mode is written while a series is under way."""
    if "mode" in values and state not in SETTLED:
        raise Refused(
            409, f"{module} mode cannot be changed in state {state}; allowed in: {', '.join(SETTLED)}"
        )


def _address(call: Call) -> tuple[int, int, int | None]:
    """Series, image and threshold of `images/{series}/{image}[/{threshold}]`. Raises Refused (404)."""
    parts = call.key.split("/")
    if not (
        2 <= len(parts) <= 3 and all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts)
    ):
        raise unknown(call.path)
    series, image, *threshold = (int(part) for part in parts)
    return series, image, threshold[0] if threshold else None


def _timeout_ms(call: Call) -> int:
    text = call.request.query_params.get("timeout", str(IMAGE_WAIT_MS))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(400, f"timeout must be a number of milliseconds, not {text[:40]}")
    return min(int(text), _IMAGE_WAIT_MAX_MS)
