"""One optical module by its console. Channel 0 is the lower photomultiplier, channel 1 the upper one."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from fat.degg.station.event_words import CHANNELS, EventWords
from fat.degg.station.light_words import LightWords

PMT_NAMES: Final = ("LowerPmt", "UpperPmt")
"""By channel."""

__all__ = ["CHANNELS", "PMT_NAMES", "Module"]


class Module(EventWords, LightWords):
    """One module. Methods open the console if need be; they raise ModuleSilent, ModuleRefused, AnswerMalformed.

    Words of the board are in `Board`, of events in `EventWords`, of flasher and cameras in `LightWords`.
    """

    def close(self) -> None:
        """Leave the console."""
        self.console.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
