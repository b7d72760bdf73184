"""What task processes find loaded: a check or a task that loads a library anew costs a run of days minutes."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fat.degg.preload import PRELOAD as DEGG
from fat.plans.demo import PRELOAD as DETECTOR

PROGRAM = """
import importlib, sys
from scheduler.runner import ARGUMENTS
address, *preload = sys.argv[1:]
for module in (*ARGUMENTS, *preload):
    importlib.import_module(module)
loaded = set(sys.modules)

from fat.instruments.http import JsonPeer
with JsonPeer("the bench", address) as bench:
    assert bench.request("GET", "/status") == {}

def function(context, comment: str, reboot: bool, fcurrent: float): ...

from scheduler.calling import bound
assert bound(function, "m:f", [], {"comment": "", "reboot": "no", "fcurrent": "-40"})[0] == ["", False, -40.0]
print(*sorted(name for name in set(sys.modules) - loaded if not name.startswith("fat.")))
"""


class Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("preload", [DEGG, DETECTOR], ids=["degg", "detector"])
def test_neither_a_request_nor_arguments_load_anything_in_a_task_process(preload: tuple[str, ...]) -> None:
    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        address = f"http://127.0.0.1:{server.server_port}"
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, address, *preload], capture_output=True, text=True, check=True
        )
        serving.join()
    assert told.stdout.split() == []
