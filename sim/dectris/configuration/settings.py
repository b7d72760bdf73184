"""Configuration and status keys of the modules stream, filewriter, monitor and system.

Source: SIMPLON API reference 1.6 and 1.8; fastcs-eiger, system test (the lists of stream and monitor). A unit's parts
read their settings from here; REST writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.dectris.configuration.detector_keys import ENABLED
from sim.dectris.keys import Key, Registry, Value
from sim.dectris.models import V16, V18, Model

LEGACY_FILES: Final = "hdf5 nexus legacy nxmx"
V2024_FILES: Final = "hdf5 nexus v2024.2 nxmx"
_STREAM_STATES: Final = ("disabled", "ready", "acquire", "error")


class Settings:
    """The keys of one module. The unit boots with *defaults*; `initialize` returns to the vendor's."""

    def __init__(self, keys: list[Key], defaults: Mapping[str, Value] | None = None) -> None:
        self.registry = Registry(keys)
        self._defaults = dict(defaults or {})
        self.boot()

    def boot(self) -> None:
        """As after a restart of the unit. Raises Refused for a default that its key cannot have."""
        self.registry.reset()
        self.write(self._defaults)

    def write(self, values: Mapping[str, object]) -> list[str]:
        """Write several keys, all or none; answers them. Raises Refused."""
        self.registry.update({name: self.registry.check(name, value) for name, value in values.items()})
        return list(values)

    def initialize(self) -> None:
        """The vendor's defaults."""
        self.registry.reset()

    @property
    def enabled(self) -> bool:
        """Whether `mode` is enabled."""
        return self.registry.text("mode") == ENABLED[0]


class StreamSettings(Settings):
    """Keys of the stream module."""

    def __init__(self, defaults: Mapping[str, Value] | None = None) -> None:
        super().__init__(stream_config(), defaults)

    @property
    def mode(self) -> str:
        """enabled or disabled."""
        return self.registry.text("mode")

    @property
    def format(self) -> str:
        """legacy or cbor."""
        return self.registry.text("format")

    @property
    def header_detail(self) -> str:
        """none, basic or all."""
        return self.registry.text("header_detail")

    @property
    def header_appendix(self) -> object:
        """A JSON value that goes with the start message; an empty text: nothing goes."""
        return self.registry["header_appendix"]

    @property
    def image_appendix(self) -> object:
        """A JSON value that goes with every image; an empty text: nothing goes."""
        return self.registry["image_appendix"]


class FilewriterSettings(Settings):
    """Keys of the filewriter module."""

    def __init__(self, defaults: Mapping[str, Value] | None = None) -> None:
        super().__init__(filewriter_config(), defaults)

    @property
    def format(self) -> str:
        """LEGACY_FILES or V2024_FILES."""
        return self.registry.text("format")

    @property
    def name_pattern(self) -> str:
        """Text of a client: `$id` stands for the series number, and nothing in it can be trusted."""
        return self.registry.text("name_pattern")

    @property
    def nimages_per_file(self) -> int:
        """0: all images in the master file."""
        return self.registry.count("nimages_per_file")

    @property
    def image_nr_start(self) -> int:
        """Number of a series' first image in the files."""
        return self.registry.count("image_nr_start")

    @property
    def compression_enabled(self) -> bool:
        """Whether the images are stored as they are compressed."""
        return self.registry["compression_enabled"] is True


class MonitorSettings(Settings):
    """Keys of the monitor module."""

    def __init__(self, defaults: Mapping[str, Value] | None = None) -> None:
        super().__init__(monitor_config(), defaults)

    @property
    def buffer_size(self) -> int:
        """Images."""
        return self.registry.count("buffer_size")

    @property
    def discard_new(self) -> bool:
        """When the buffer is full: whether the new image is dropped, else the oldest."""
        return self.registry["discard_new"] is True


class SystemSettings(Settings):
    """Keys of the system module."""

    def __init__(self, model: Model) -> None:
        super().__init__(system_config(model))


def stream_config() -> list[Key]:
    """Configuration keys of the stream module."""
    return [
        Key("mode", "string", "disabled", allowed=ENABLED),
        Key("format", "string", "legacy", allowed=("legacy", "cbor")),
        Key("header_detail", "string", "basic", allowed=("none", "basic", "all")),
        Key("header_appendix", "json", ""),
        Key("image_appendix", "json", ""),
    ]


def stream_status() -> list[Key]:
    """Status keys of the stream module; `state` and `dropped` are filled at each request."""
    return [
        Key("state", "string", "ready", "r", allowed=_STREAM_STATES),
        Key("error", "string", [], "r", listed=False, type_160="string[]"),
        Key("dropped", "uint", 0, "r"),
    ]


def filewriter_config() -> list[Key]:
    """Configuration keys of the filewriter module."""
    return [
        Key("mode", "string", "disabled", allowed=ENABLED),
        Key("name_pattern", "string", "series_$id"),
        Key("nimages_per_file", "uint", 1000, low=0, high=2_000_000_000),
        Key("image_nr_start", "uint", 1, low=0, high=2_000_000_000),
        Key("compression_enabled", "bool", True),
        Key("format", "string", LEGACY_FILES, allowed=(LEGACY_FILES, V2024_FILES), versions=(V18,)),
        Key("transfer_mode", "string", "HTTP", allowed=("HTTP",), versions=(V16,)),
    ]


def filewriter_status() -> list[Key]:
    """Status keys of the filewriter module, filled at each request."""
    return [
        Key("state", "string", "disabled", "r", allowed=_STREAM_STATES),
        Key("error", "string[]", [], "r"),
        Key("buffer_free", "uint", 0, "r", "bytes"),
        Key("files", "string[]", [], "r"),
        Key("time", "string", "", "r", versions=(V16,)),
    ]


def monitor_config() -> list[Key]:
    """Configuration keys of the monitor module."""
    return [
        Key("mode", "string", "disabled", allowed=ENABLED),
        Key("buffer_size", "uint", 100, low=1, high=10_000),
        Key("discard_new", "bool", True),
    ]


def monitor_status() -> list[Key]:
    """Status keys of the monitor module, filled at each request."""
    return [
        Key("state", "string", "normal", "r", allowed=("normal", "overflow")),
        Key("error", "string", [], "r", type_160="string[]"),
        Key("dropped", "uint", 0, "r"),
        Key("buffer_free", "uint", 0, "r", "bytes"),
        # fastcs-eiger takes no lists but leaves this one out by its name.
        Key("buffer_fill_level", "uint[]", [0, 100], "r"),
        Key("next_image_number", "uint[]", [0, 0], "r", versions=(V16,)),
        Key("monitor_image_number", "uint[]", [0, 0], "r", versions=(V16,)),
    ]


def system_config(model: Model) -> list[Key]:
    """Configuration keys of the system module. They are kept, and change nothing in the simulator."""
    network = {"addr": "127.0.0.1", "dns1": "", "dns2": "", "netmask": "255.0.0.0"}
    return [
        Key("datetime/date", "string", ""),
        Key("datetime/time", "string", ""),
        Key("datetime/timezone", "string", "UTC"),
        Key("datetime/ntp", "bool", True),
        Key("datetime/ntp_server", "string", ""),
        *(Key(f"network/eth0/{name}", "string", value) for name, value in network.items()),
        Key("network/eth0/dhcp", "bool", True),
        Key("network/eth0/mtu", "uint", 9000, low=576, high=9216),
        Key("network/eth0/static_routes", "string[]", []),
        Key("system_info/service_tag", "string", model.serial, "r"),
    ]
