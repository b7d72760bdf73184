"""Messages outside a run, such as that a launch is refused: sent at once, tried twice, and not kept.

What happens in a run is told from its journal (`Notifier`), which loses nothing. A launch that is refused has no
journal, and somebody sits before it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scheduler.config import SchedulerTable
from scheduler.notify.build import Address, messengers_of
from scheduler.notify.notice import Later, Messenger, Notice, OutgoingMessage, Refused

TRIES: Final = 2


def tell_outside(
    folder: Path, table: SchedulerTable, own_slack: Address | None, notices: Sequence[Notice]
) -> list[str]:
    """Tell people. Returns a sentence for each way on which something was not told; raises nothing for it.

    folder  what names of pictures are relative to
    """
    messengers, silent = messengers_of(folder, table, own_slack)
    at = time.time()
    return [*silent, *(trouble for made, _ in messengers if (trouble := _tell(made, notices, at)))]


def _tell(messenger: Messenger, notices: Sequence[Notice], at: float) -> str:
    for number, notice in enumerate(notices):
        for receiver in messenger.receivers(notice.severity):
            message = OutgoingMessage(f"{number}.{receiver}", f"outside-{at}", "", at, receiver, notice)
            trouble = _try(messenger, message)
            if trouble:
                return f"{messenger.name}: not told ({trouble})"
    return ""


def _try(messenger: Messenger, message: OutgoingMessage) -> str:
    trouble = ""
    for _ in range(TRIES):
        try:
            messenger.send(message, None)
        except Later as later:
            trouble = later.reason
        except Refused as refused:
            return str(refused)
        except Exception as error:  # noqa: BLE001 - telling never breaks what is told of
            return f"{type(error).__name__}: {error}"
        else:
            return ""
    return trouble
