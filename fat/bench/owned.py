"""A bench as the child of this process, for synchronous code: acceptance runs, tests, notebooks."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from fat.errors import BenchError, ChildFailed

READY_TIMEOUT_S: Final = 240.0
STOP_TIMEOUT_S: Final = 15.0


class OwnedBench:
    """Brings a bench up in a process of its own, which ends when this object, or this process, does."""

    def __init__(
        self,
        bench_file: Path,
        *,
        data_dir: Path | None = None,
        start_ns: int | None = None,
        patience_s: float = 0.0,
        log: Path,
    ) -> None:
        self._log = log
        self._spec = {
            "bench": str(bench_file.absolute()),
            "data_dir": None if data_dir is None else str(data_dir.absolute()),
            "start_ns": start_ns,
            "patience_s": patience_s,
        }
        self._process: subprocess.Popen[str] | None = None
        self.endpoints: dict[str, Any] = {}
        self.token = ""
        self.notes: list[str] = []
        """What a person has to read, such as a generated password."""

    def start(self) -> OwnedBench:
        """Start, and return when every part is ready. Raises ChildFailed with the bench's own sentence."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fat.bench.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(self._spec) + "\n")
            self._process.stdin.flush()
            answer = self._answer()
        except BaseException:
            self.stop()
            raise
        if "failed" in answer:
            self.stop()
            raise ChildFailed("bench", answer["failed"], self._log, int(answer.get("exit", 3)))
        self.endpoints, self.token = answer["ready"]["endpoints"], answer["ready"]["token"]
        self.notes = list(answer["ready"]["notes"])
        return self

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], READY_TIMEOUT_S)[0]:
            raise ChildFailed("bench", f"not ready after {READY_TIMEOUT_S:.0f} s", self._log)
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise ChildFailed("bench", f"ended with exit code {code} before it was ready", self._log)
        return dict(json.loads(line))

    def raise_if_ended(self) -> None:
        """Raise BenchError when the bench has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise BenchError(
                f"the bench ended with exit code {self._process.returncode} (its log: {self._log})"
            )

    def stop(self) -> None:
        """Stop it and wait. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it may have ended already
            process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def __enter__(self) -> OwnedBench:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
