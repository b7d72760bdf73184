"""The launcher: a small process that has the heavy modules loaded and forks one process for each task.

The engine holds one end of a socket pair; a message is one packet of JSON, a start brings the task's channel along.
When the engine is gone in any way, the packet stream ends: the launcher kills what still runs, and ends.

| direction | packet | meaning |
| --- | --- | --- |
| → first | `{"path": [...], "preload": [...]}` | where modules are found, which to load |
| ← | `{"ready": true}` or `{"refused": sentence}` | |
| → | `{"start": true}` + descriptor | start a task process on this channel |
| ← | `{"started": pid}` | |
| → | `{"signal": n, "pid": pid}` | to the task's process group, if it still runs |
| ← | `{"ended": pid, "status": n}` | its wait status; what it had started is gone too |
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any, Final

from scheduler import taskprocess

MAX_PACKET: Final = 1 << 16


class Launcher:
    """The launcher's own loop. Single-threaded, so that forking is safe."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._running: dict[int, int] = {}
        """Process id by pidfd."""

    def serve(self) -> None:
        """Serve until the engine is gone."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._reap(key.fd)
                elif not self._obey():
                    return

    def close(self) -> None:
        """Kill what still runs."""
        for pidfd in list(self._running):
            self._collect(pidfd)

    def _obey(self) -> bool:
        """Carry one message out. False when there will be no more."""
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET, 1)
        except ConnectionError:
            return False
        if not packet:
            return False
        message = json.loads(packet)
        if "start" in message:
            self._start(descriptors[0])
        elif message["pid"] in self._running.values():
            _signal_group(message["pid"], message["signal"])
        return True

    def _start(self, descriptor: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_task(descriptor)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)  # the child does it too; whoever comes first
        os.close(descriptor)
        pidfd = os.pidfd_open(pid)
        self._running[pidfd] = pid
        self._selector.register(pidfd, selectors.EVENT_READ)
        self._say({"started": pid})

    def _become_task(self, descriptor: int) -> None:
        """In the child: never return."""
        code = 1
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._selector.close()
            self._control.close()
            for pidfd in self._running:
                os.close(pidfd)
            taskprocess.main(socket.socket(fileno=descriptor))
            code = 0
        except BaseException:  # noqa: BLE001 - the end of a process: all there is left to do is tell the log
            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        pid, status = self._collect(pidfd)
        self._say({"ended": pid, "status": status})

    def _collect(self, pidfd: int) -> tuple[int, int]:
        pid = self._running.pop(pidfd)
        _signal_group(pid, signal.SIGKILL)  # what the task itself had started; before the id is free again
        _, status = os.waitpid(pid, 0)
        os.close(pidfd)
        return pid, status

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            self._control.send(json.dumps(message).encode())


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def main() -> int:
    """Take the descriptor of the control socket from the command line, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        first = json.loads(control.recv(MAX_PACKET) or b"null")
        if first is None:
            return 0
        sys.path[:] = first["path"]
        for module in first["preload"]:
            try:
                importlib.import_module(module)
            except ImportError as error:
                control.send(json.dumps({"refused": f"{module} cannot be imported ({error})"}).encode())
                return 1
        # What is loaded stays: a collector that looked at it in each task would copy its pages into each.
        gc.collect()
        gc.freeze()
        control.send(b'{"ready": true}')
        launcher = Launcher(control)
        try:
            launcher.serve()
        finally:
            launcher.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
