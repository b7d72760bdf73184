"""What peers of the scheduler take for tasks that do nothing; run by scheduler_tasks.py in their own environment.

python scheduler_peers.py openhtf N        phases of one test
python scheduler_peers.py queueserver N    plans from the queue of bluesky-queueserver, with a Redis of its own
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATIENCE_S = 600.0
PLANS = """
import bluesky.plan_stubs as stubs
from bluesky import RunEngine

RE = RunEngine({})

def nothing():
    yield from stubs.null()
"""


def openhtf_s(count: int) -> float:
    """Phases that do nothing, from the test's begin to its end, seconds; its record goes to one file of JSON."""
    import openhtf
    from openhtf.output.callbacks import json_factory

    @openhtf.PhaseOptions()
    def nothing(test: Any) -> None:
        pass

    with tempfile.TemporaryDirectory() as work:
        test = openhtf.Test(*[nothing] * count)
        test.add_output_callbacks(json_factory.OutputToJSON(f"{work}/record.json"))
        began = time.perf_counter()
        assert test.execute(lambda: "device")
        return time.perf_counter() - began


@contextlib.contextmanager
def program(*command: str | int | Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes with this one."""
    with (cwd / "log").open("ab") as log:
        process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port that is free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def queueserver_s(count: int) -> float:
    """Plans that do nothing, from the queue's start until it is idle again, seconds."""
    from bluesky_queueserver import ZMQCommSendThreads

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        work = Path(folder)
        (work / "startup.py").write_text(PLANS)
        redis, control, info = free_port(), free_port(), free_port()
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        redis_server = shutil.which("redis-server") or "redis-server"
        stack.enter_context(program(redis_server, "--port", redis, "--dir", work, *durable, cwd=work))
        bin_dir = Path(sys.executable).parent
        manager = (
            *(bin_dir / "start-re-manager", "--startup-script", work / "startup.py"),
            *(
                "--existing-plans-devices",
                work / "existing.yaml",
                "--update-existing-plans-devices",
                "ALWAYS",
            ),
            *(
                "--user-group-permissions",
                permissions(work),
                "--keep-re",
                "--redis-addr",
                f"localhost:{redis}",
            ),
            *(
                "--zmq-control-addr",
                f"tcp://127.0.0.1:{control}",
                "--zmq-info-addr",
                f"tcp://127.0.0.1:{info}",
            ),
        )
        stack.enter_context(program(*manager, cwd=work))
        line = ZMQCommSendThreads(zmq_server_address=f"tcp://127.0.0.1:{control}", timeout_recv=60_000)
        stack.callback(line.close)
        wait_until(line, lambda status: status["manager_state"] == "idle")
        ask(line, "environment_open")
        wait_until(line, lambda status: status["worker_environment_exists"])
        user = {"user": "bench", "user_group": "primary"}
        allowed = {"user_group": "primary"}  # the manager learns of the worker's plans a while after it
        wait_until(line, lambda _: "nothing" in ask(line, "plans_allowed", allowed)["plans_allowed"])
        items = [{"item_type": "plan", "name": "nothing"}] * count
        ask(line, "queue_item_add_batch", {"items": items, **user})
        began = time.perf_counter()
        ask(line, "queue_start")
        wait_until(line, lambda status: status["manager_state"] == "idle" and not status["items_in_queue"])
        took = time.perf_counter() - began
        done = wait_until(line, lambda _status: True)["items_in_history"]
        assert done == count, (done, (work / "log").read_text()[-2000:])
        ask(line, "environment_close")
        wait_until(line, lambda status: not status["worker_environment_exists"])
        return took


def permissions(work: Path) -> Path:
    """Everybody may run everything."""
    path = work / "permissions.yaml"
    path.write_text('user_groups:\n  root: {allowed_plans: [":.*"]}\n  primary: {allowed_plans: [":.*"]}\n')
    return path


def ask(line: Any, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request that is granted."""
    answer: dict[str, Any] = line.send_message(method=method, params=parameters or {})
    assert answer.get("success", True), answer
    return answer


def wait_until(line: Any, content: Any) -> dict[str, Any]:
    """Ask for the status until it is as wanted."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(Exception):
            status = ask(line, "status")
            if content(status):
                return status
        if time.monotonic() > deadline:
            raise TimeoutError("the queue server is not as far")
        time.sleep(0.02)


if __name__ == "__main__":
    measure = {"openhtf": openhtf_s, "queueserver": queueserver_s}[sys.argv[1]]
    print(json.dumps({"seconds": measure(int(sys.argv[2]))}))
