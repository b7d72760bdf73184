"""`stellwerk pipe offline` with a signal at a certain moment.

python offline_struck.py MOMENT COUNT SIGNAL WHOM ARGUMENTS…    WHOM: self, parent, or group
The signal falls when a moment comes for the COUNTth time in a process:
  import  a worker begins           begun  a corrected file was begun
  train   before a train            bytes  half of a write is in the file
  closed  a file has no name yet    named  a file got its name
Worker processes import this file under another name, and are struck like the command itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.offline.output import Sink
from pipeline.online.corrected_file import CorrectedFile

moment, count, name, whom = sys.argv[1:5]
number = signal.Signals[name]
seen: dict[str, int] = {}


def now(what: str) -> bool:
    seen[what] = seen.get(what, 0) + 1
    return what == moment and seen[what] == int(count)


def strike() -> None:
    if whom == "group":
        os.killpg(0, number)
    else:
        os.kill(os.getpid() if whom == "self" else os.getppid(), number)


def struck_around(owner: Any, method: str, before: str | None, after: str | None) -> None:
    whole: Callable[..., Any] = getattr(owner, method)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None and now(before):
            strike()
        result = whole(*args, **kwargs)
        if after is not None and now(after):
            strike()
        return result

    setattr(owner, method, wrapped)


def half_written(self: Sink, view: memoryview) -> None:
    if now("bytes"):
        os.pwrite(self._descriptor, view[: len(view) // 2], self._at)
        strike()
    whole_write(self, view)


whole_write = Sink._put
Sink._put = half_written  # type: ignore[method-assign]
struck_around(CorrectedFile, "__init__", None, "begun")
struck_around(CorrectedFile, "append", "train", None)
struck_around(Path, "replace", "closed", "named")
if __name__ == "__mp_main__" and now("import"):
    strike()

if __name__ == "__main__":
    from pipeline.commands import app

    app(["offline", *sys.argv[5:]])
