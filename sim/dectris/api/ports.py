"""What the REST interface asks of the other parts of a control unit.

All methods are called from the event loop's thread and return at once. Whatever takes simulated time is answered
through a `Resolve`. States are the words of the reference (`StrEnum` members are such words too).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from sim.dectris.refusal import Refused

Answer: TypeAlias = Refused | dict[str, Any] | list[str]
"""What a request gets: JSON, or a refusal."""
Resolve: TypeAlias = Callable[[Answer], None]
Ask: TypeAlias = Callable[[Callable[[Resolve], None]], Awaitable[Answer]]
"""Puts a request to the unit at the present simulated time, and waits for its answer."""


class DetectorPort(Protocol):
    """The unit itself. `configure`, `command`, `answer_later` and `restart` run inside its advance."""

    @property
    def state(self) -> str:
        """na, initialize, idle, configure, ready, acquire, test or error."""
        ...

    @property
    def unique_id(self) -> str:
        """Of the newest series: 26 characters; empty before the first."""
        ...

    @property
    def high_voltage(self) -> str:
        """NA, OFF, RAMPING or READY."""
        ...

    @property
    def missed_triggers(self) -> int:
        """Electrical triggers of the present series that came too early and were not used."""
        ...

    def configure(self, name: str, value: object, resolve: Resolve) -> None:
        """Write one key: check the state, then `DetectorConfiguration.write`. Answers the changed keys."""
        ...

    def configure_array(self, name: str, array: NDArray[Any] | None, resolve: Resolve) -> None:
        """Write one flat field or pixel mask, (height, width); None restores the factory's. Checks the state first."""
        ...

    def command(self, command: str, argument: object, resolve: Resolve) -> None:
        """Carry out a command of the detector module.

        initialize, arm, trigger, disarm, cancel, abort, status_update, check_connection, hv_reset, hv_enabled, wait.
        The argument is the JSON value of the body, None where there is none. It has its type already: a number for
        trigger (count_time, s) and hv_reset (s), a bool for hv_enabled.
        """
        ...

    def answer_later(self, delay_s: float, resolve: Resolve) -> None:
        """Answer {} after a delay in simulated time."""
        ...

    def restart(self, resolve: Resolve) -> None:
        """As after a restart of the service: everything forgotten, state na; answers {} when it is back."""
        ...


class StreamPort(Protocol):
    """The streams. Their configuration is `configuration.StreamSettings`, which REST writes and they read."""

    @property
    def state(self) -> str:
        """disabled, ready, acquire or error."""
        ...

    @property
    def dropped(self) -> int:
        """Images not delivered since arm."""
        ...

    def configured(self) -> None:
        """Keys of the stream module were written: what is held may have to go out now."""
        ...

    def initialize(self) -> None:
        """The keys are back at their defaults (mode disabled); counters begin anew."""
        ...


class FileStore(Protocol):
    """What the file writer has written."""

    @property
    def state(self) -> str:
        """disabled, ready, acquire or error."""
        ...

    @property
    def error(self) -> Sequence[str]:
        """What went wrong, e.g. a full disk; empty when all is well."""
        ...

    @property
    def buffer_free(self) -> int:
        """Bytes."""
        ...

    def names(self) -> Sequence[str]:
        """Files that are finished, in the order of their names; a name may contain slashes."""
        ...

    def path(self, name: str) -> Path | None:
        """Where a finished file lies; None for one that is not there or not finished. Any text may be asked."""
        ...

    def delete(self, name: str) -> bool:
        """Delete a finished file; whether there was one."""
        ...

    def clear(self) -> None:
        """Delete everything that is not being written."""
        ...

    def initialize(self) -> None:
        """As after a restart of the module; its keys are back at their defaults."""
        ...


class MonitorStore(Protocol):
    """The monitor's images, each as the bytes of a TIFF."""

    @property
    def state(self) -> str:
        """normal or overflow."""
        ...

    @property
    def dropped(self) -> int:
        """Images that found the buffer full."""
        ...

    @property
    def buffer_free(self) -> int:
        """Bytes."""
        ...

    @property
    def fill_level(self) -> tuple[int, int]:
        """Images in the buffer, and how many it holds."""
        ...

    @property
    def next_image(self) -> tuple[int, int] | None:
        """Series and number of the image that `take_next` would take (1.6.0: next_image_number)."""
        ...

    @property
    def newest_image(self) -> tuple[int, int] | None:
        """Series and number of the newest image (1.6.0: monitor_image_number)."""
        ...

    @property
    def arrived(self) -> asyncio.Event:
        """Set whenever an image has come, in the event loop's thread; REST clears it before it waits."""
        ...

    def listing(self) -> Sequence[tuple[int, Sequence[int]]]:
        """Series with the numbers of their images."""
        ...

    def newest(self) -> bytes | None:
        """The newest image; it stays, and can be read even after `clear`."""
        ...

    def take_next(self) -> bytes | None:
        """The oldest image, removed."""
        ...

    def get(self, series: int, image: int, threshold: int | None) -> bytes | None:
        """One image, by threshold from 1 where given; None for one that is not there."""
        ...

    def configured(self) -> None:
        """Keys of the monitor module were written (mode, buffer_size, discard_new)."""
        ...

    def clear(self) -> None:
        """Empty, dropped 0, state normal."""
        ...

    def initialize(self) -> None:
        """As after a restart of the module; its keys are back at their defaults."""
        ...
